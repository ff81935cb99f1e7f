import math

import pytest
import torch

from burnish.distill import soft_target_kl
from burnish.errors import UsageError


def by_hand(student, teacher, temperature):
    total = 0.0
    for row, target in zip(student.tolist(), teacher.tolist(), strict=True):
        p = [math.exp(x / temperature) for x in target]
        q = [math.exp(x / temperature) for x in row]
        p, q = [x / sum(p) for x in p], [x / sum(q) for x in q]
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return temperature**2 * total / len(student)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("shape", [(1, 2), (5, 3)])
def test_matches_the_definition(shape, temperature):
    student, teacher = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).double()
    loss = soft_target_kl(student, teacher, temperature=temperature)
    assert loss.item() == pytest.approx(by_hand(student, teacher, temperature), abs=1e-9)


def test_a_perfect_student_has_no_loss_and_the_teacher_no_gradient():
    logits = torch.tensor([[1.0, -2.0, 0.5]], requires_grad=True)
    teacher = logits.detach().clone().requires_grad_()
    loss = soft_target_kl(logits, teacher, temperature=2.0)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-7)
    assert teacher.grad is None
    assert logits.grad.abs().max() < 1e-7


def test_says_what_does_not_fit():
    with pytest.raises(UsageError, match=r"shapes \(2, 3\) and \(2, 4\)"):
        soft_target_kl(torch.zeros(2, 3), torch.zeros(2, 4), temperature=1.0)
    with pytest.raises(UsageError, match="must be > 0, got 0"):
        soft_target_kl(torch.zeros(2, 3), torch.zeros(2, 3), temperature=0)
