"""What a killed training goes on from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from burnish.errors import BurnishError

State = dict[str, Any]


@dataclass
class Checkpoint:
    """A file that holds the newest state of a training, replaced as a whole.

    Attributes:
        path: of the file; a file that is there is gone on from.
        seconds: least time between two savings.
        extra: tensors and numbers to save beside model and optimiser.
        restore: is given them back.
    """

    path: Path
    seconds: float = 60.0
    extra: Callable[[], Mapping[str, Any]] = dict
    restore: Callable[[Mapping[str, Any]], None] = lambda _: None
    _saved: float = field(default_factory=time.monotonic, init=False)

    @property
    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self._saved >= self.seconds

    def save(self, state: Mapping[str, Any]) -> None:
        """Write `state` and what `extra` gives; readers see the old file or the new one."""
        partial = self.path.with_name(f"{self.path.name}.partial")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({**state, "extra": dict(self.extra())}, partial)
        partial.replace(self.path)
        self._saved = time.monotonic()

    def load(self) -> State | None:
        """The state that was saved, or None; code in the file is not run.

        Raises:
            BurnishError: the file is no checkpoint. What `restore` raises goes on up.
        """
        if not self.path.exists():
            return None
        try:
            state: State = torch.load(self.path, weights_only=True, map_location="cpu")
            extra = state.pop("extra")
        except Exception as error:  # torch raises what its reader trips over
            why = " ".join(str(error).split())[:200]
            raise BurnishError(
                f"{self.path} cannot be read as a checkpoint: {why}; delete it to train from the "
                "last stage again"
            ) from error
        self.restore(extra)
        return state

    def discard(self) -> None:
        """The training is done: what would resume it goes."""
        self.path.unlink(missing_ok=True)
