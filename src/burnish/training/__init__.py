"""One training loop on Accelerate, for every method that trains."""

from burnish.training.checkpoint import Checkpoint
from burnish.training.loop import Group, Training, fit
from burnish.training.processes import gathered, own_share
from burnish.training.randomness import derive, seeded

__all__ = ["Checkpoint", "Group", "Training", "derive", "fit", "gathered", "own_share", "seeded"]
