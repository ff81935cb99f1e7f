from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from burnish.methods.cg_fedllm import next_token
from burnish.methods.cg_fedllm.next_token import next_token_loss


def drawn(dtype: torch.dtype, vocabulary: int = 11) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(3, 5, vocabulary, generator=draw)
    tokens = torch.randint(0, vocabulary, (3, 5), generator=draw)
    return logits.to(dtype).requires_grad_(), tokens


def by_torch(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    scores = logits[:, :-1].float()
    return functional.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())


@pytest.mark.parametrize("numbers", [1, 33, 1 << 20], ids=["row by row", "three rows", "at once"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_loss_and_gradient_are_those_of_torch(dtype, numbers, monkeypatch):
    monkeypatch.setattr(next_token, "_NUMBERS", numbers)
    logits, tokens = drawn(dtype)
    loss = next_token_loss(logits, tokens)
    (gradient,) = torch.autograd.grad(3 * loss, logits)
    expected = by_torch(logits, tokens)
    (wanted,) = torch.autograd.grad(3 * expected, logits)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
    tight = dtype == torch.float32
    assert gradient.dtype == dtype
    assert torch.allclose(gradient, wanted, rtol=1e-5 if tight else 1e-2, atol=1e-7)
    assert gradient[:, -1].eq(0).all()


def test_scores_that_would_overflow_do_not():
    logits, tokens = drawn(torch.float32)
    with torch.no_grad():
        loss = next_token_loss(logits + 1e4, tokens)
    assert loss.item() == pytest.approx(by_torch(logits, tokens).item(), abs=1e-2)


def test_without_gradients_the_logits_are_left_as_they_are():
    logits, tokens = drawn(torch.float32)
    before = logits.detach().clone()
    with torch.no_grad():
        next_token_loss(logits, tokens)
    assert torch.equal(logits, before)
