"""One training loop on Accelerate, for every method that trains.

Everything public loads on first use: deriving a seed draws no model library in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.training.checkpoint import Checkpoint
    from burnish.training.loop import Group, Training, fit
    from burnish.training.processes import gathered, own_share
    from burnish.training.randomness import derive, seeded

_HOME = {
    "checkpoint": ("Checkpoint",),
    "loop": ("Group", "Training", "fit"),
    "processes": ("gathered", "own_share"),
    "randomness": ("derive", "seeded"),
}

__all__ = ["Checkpoint", "Group", "Training", "derive", "fit", "gathered", "own_share", "seeded"]
__getattr__ = lazily(__name__, _HOME)
