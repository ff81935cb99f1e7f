"""CAP, contrastive pruning: any pruning criterion, carried by an objective that remembers.

Xu et al., arXiv 2112.07198. Everything public is importable from here and loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.methods.cap.method import METHOD
    from burnish.methods.cap.objective import CE_ONLY, KD_ONLY, CapObjective
    from burnish.methods.cap.probing import Probed, probe
    from burnish.methods.cap.pruner import ContrastivePruner, Pruned
    from burnish.methods.cap.result import Stage
    from burnish.methods.cap.schedules import Cubic, Stages
    from burnish.methods.cap.tasks import Scored, TestSet, fine_tune
    from burnish.methods.cap.units import FirstOrder, UnitCriterion, UnitMagnitude
    from burnish.methods.cap.weights import (
        Magnitude,
        MaskedWeights,
        Movement,
        OBert,
        Platon,
        Smp,
        SoftMovement,
        Wanda,
        WeightCriterion,
    )

_HOME = {
    "method": ("METHOD",),
    "objective": ("CE_ONLY", "KD_ONLY", "CapObjective"),
    "probing": ("Probed", "probe"),
    "pruner": ("ContrastivePruner", "Pruned"),
    "result": ("Stage",),
    "schedules": ("Cubic", "Stages"),
    "tasks": ("Scored", "TestSet", "fine_tune"),
    "units": ("FirstOrder", "UnitCriterion", "UnitMagnitude"),
    "weights": (
        "Magnitude",
        "MaskedWeights",
        "Movement",
        "OBert",
        "Platon",
        "Smp",
        "SoftMovement",
        "Wanda",
        "WeightCriterion",
    ),
}

__all__ = [
    "CE_ONLY",
    "KD_ONLY",
    "METHOD",
    "CapObjective",
    "ContrastivePruner",
    "Cubic",
    "FirstOrder",
    "Magnitude",
    "MaskedWeights",
    "Movement",
    "OBert",
    "Platon",
    "Probed",
    "Pruned",
    "Scored",
    "Smp",
    "SoftMovement",
    "Stage",
    "Stages",
    "TestSet",
    "UnitCriterion",
    "UnitMagnitude",
    "Wanda",
    "WeightCriterion",
    "fine_tune",
    "probe",
]


__getattr__ = lazily(__name__, _HOME)
