"""Unstructured pruning: masks on single weights, and what decides them.

Everything public loads on first use, so that naming a criterion in settings draws no torch in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.methods.cap.weights.criteria.magnitude import Magnitude
    from burnish.methods.cap.weights.criteria.movement import Movement
    from burnish.methods.cap.weights.criteria.obert import OBert
    from burnish.methods.cap.weights.criteria.platon import Platon
    from burnish.methods.cap.weights.criteria.smp import Smp
    from burnish.methods.cap.weights.criteria.soft_movement import SoftMovement
    from burnish.methods.cap.weights.criteria.wanda import Wanda
    from burnish.methods.cap.weights.criterion import (
        Calibrated,
        Estimating,
        Observing,
        Thresholded,
        WeightCriterion,
        WeightState,
    )
    from burnish.methods.cap.weights.masking import MaskedWeights, Sparsity
    from burnish.methods.cap.weights.selection import kept_count, threshold_mask, top_mask

_HOME = {
    "criteria.magnitude": ("Magnitude",),
    "criteria.movement": ("Movement",),
    "criteria.obert": ("OBert",),
    "criteria.platon": ("Platon",),
    "criteria.smp": ("Smp",),
    "criteria.soft_movement": ("SoftMovement",),
    "criteria.wanda": ("Wanda",),
    "criterion": (
        "Calibrated",
        "Estimating",
        "Observing",
        "Thresholded",
        "WeightCriterion",
        "WeightState",
    ),
    "masking": ("MaskedWeights", "Sparsity"),
    "selection": ("kept_count", "threshold_mask", "top_mask"),
}

__all__ = [
    "Calibrated",
    "Estimating",
    "Magnitude",
    "MaskedWeights",
    "Movement",
    "OBert",
    "Observing",
    "Platon",
    "Smp",
    "SoftMovement",
    "Sparsity",
    "Thresholded",
    "Wanda",
    "WeightCriterion",
    "WeightState",
    "kept_count",
    "threshold_mask",
    "top_mask",
]


__getattr__ = lazily(__name__, _HOME)
