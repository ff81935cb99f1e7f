"""A student that is to give a teacher's class probabilities."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from burnish.errors import UsageError


def soft_target_kl(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """T² KL(p_teacher || p_student) of softened class probabilities, mean over the batch.

    Args:
        student: (B, C) logits.
        teacher: (B, C) logits; no gradient reaches them.
        temperature: T > 0 divides both logits; T² keeps the gradient's size.

    Returns:
        Scalar in nats.

    Raises:
        UsageError: the shapes differ, or the temperature is not positive.

    Source: Hinton et al. 2015, arXiv 1503.02531, section 2.
    """
    if student.shape != teacher.shape:
        raise UsageError(
            f"student and teacher give logits for the same rows and classes, but have shapes "
            f"{tuple(student.shape)} and {tuple(teacher.shape)}"
        )
    if not temperature > 0:
        raise UsageError(f"temperature divides logits and must be > 0, got {temperature}")
    return temperature**2 * kl_div(
        log_softmax(student / temperature, dim=1),
        log_softmax(teacher.detach() / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
