import pytest
import torch
from torch.nn import functional

from burnish.gradients import short_attention

attend = functional.scaled_dot_product_attention


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def three(*shape):
    """Queries, keys and values as models make them, heads behind positions in memory."""
    rows, heads, positions, width = shape
    return [
        drawn(rows, positions, heads, width, seed=seed).transpose(1, 2).requires_grad_()
        for seed in range(3)
    ]


def run(tensors, **settings):
    found = attend(*tensors, **settings)
    return found.detach(), *torch.autograd.grad(found, tensors, drawn(*found.shape, seed=9))


def shortened(tensors, **settings):
    with short_attention():
        grad_fn = attend(*tensors, **settings).grad_fn
    return "_SmallAttention" in grad_fn.name()


@pytest.mark.parametrize("positions", [1, 2, 15, 16, 17, 32])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_outputs_and_gradients_are_the_usual_ones(positions, scale):
    tensors = three(3, 2, positions, 8)
    assert shortened(tensors, scale=scale)
    with short_attention():
        found = run(tensors, scale=scale)
    for one, other in zip(found, run(tensors, scale=scale), strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_settings_as_models_pass_them_take_the_short_way():
    assert shortened(three(3, 2, 5, 8), attn_mask=None, dropout_p=0.0, scale=1.0, is_causal=False)


@pytest.mark.parametrize(
    "settings",
    [
        {"is_causal": True},
        {"attn_mask": torch.eye(5, dtype=torch.bool)},
        {"attn_mask": torch.zeros(1, 1)},
    ],
    ids=["causal", "mask", "a mask of one zero"],
)
def test_what_is_masked_goes_its_usual_way(settings):
    tensors = three(3, 2, 5, 8)
    assert not shortened(tensors, **settings)
    with short_attention():
        found = run(tensors, **settings)
    assert all(torch.equal(a, b) for a, b in zip(found, run(tensors, **settings), strict=True))


def test_a_mask_without_its_name_goes_its_usual_way():
    assert not shortened([*three(3, 2, 5, 8), torch.eye(5, dtype=torch.bool)])


def test_dropout_still_drops():
    tensors = three(3, 2, 5, 8)
    with short_attention(), torch.random.fork_rng():
        torch.manual_seed(1)
        found = attend(*tensors, dropout_p=0.9)
    assert not torch.allclose(found, attend(*tensors))


@pytest.mark.parametrize("shape", [(3, 2, 33, 8), (3, 2, 100, 8)])
def test_long_inputs_go_their_usual_way(shape):
    assert not shortened(three(*shape))


def test_keys_of_another_length_and_other_precisions_go_their_usual_way():
    query, _, _ = three(3, 2, 5, 8)
    _, key, value = three(3, 2, 7, 8)
    assert not shortened([query, key, value])
    assert not shortened([one.detach().double().requires_grad_() for one in three(3, 2, 5, 8)])


def test_what_is_not_finite_stays_in_its_own_row():
    clean = [one.detach() for one in three(3, 2, 5, 8)]
    with short_attention():
        wanted = attend(*clean)
        clean[0][1, 0, 2] = float("nan")
        found = attend(*clean)
    assert torch.equal(found[[0, 2]], wanted[[0, 2]])
    assert found[1].isnan().any()
