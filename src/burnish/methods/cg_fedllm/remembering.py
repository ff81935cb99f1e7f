"""The first round, which is the same for every codec, is trained once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from burnish.methods.cg_fedllm.adapters import init_hash
from burnish.methods.cg_fedllm.client import LocalTask, Trained


class Remembered:
    """A task whose first round and first score are kept in a folder, for federations alike.

    Federations that share seed, clients and initialisation begin alike whatever codec they use:
    what clients return in round 1 depends on nothing that was sent.
    """

    def __init__(self, task: LocalTask, folder: Path, name: str) -> None:
        """Keep what `task` does in round 1.

        Args:
            task: whose results depend on adapter, client and round alone.
            folder: where results are kept.
            name: tells tasks apart: what else the results depend on.
        """
        self.layout, self.init = task.layout, task.init
        self._task, self._folder, self._name = task, folder, name

    def initial(self) -> dict[str, Tensor]:
        """As the task."""
        return self._task.initial()

    def train(self, adapter: Mapping[str, Tensor], *, client: int, round: int) -> Trained:
        """As the task; read from the folder if it was done before."""
        if round != 1 or init_hash(adapter) != self.init:
            return self._task.train(adapter, client=client, round=round)
        path = self._folder / f"{self._name}-{self.init[:16]}-{client}.safetensors"
        if path.exists():
            return _read(path)
        trained = self._task.train(adapter, client=client, round=round)
        if trained.gradient is None and trained.trace is None:
            _write(path, trained)
        return trained

    def evaluate(self, adapter: Mapping[str, Tensor]) -> float | None:
        """As the task; the score of the initialisation is read from the folder if it is there."""
        if init_hash(adapter) != self.init:
            return self._task.evaluate(adapter)
        path = self._folder / f"{self._name}-{self.init[:16]}-score.txt"
        if path.exists():
            return float(path.read_text())
        score = self._task.evaluate(adapter)
        if score is not None:
            _replace(path, lambda partial: partial.write_text(repr(score)))
        return score


def _read(path: Path) -> Trained:
    with safe_open(path, framework="pt") as file:
        told = file.metadata()
        adapter = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no dict
    return Trained(adapter, int(told["examples"]), float(told["loss"]))


def _write(path: Path, trained: Trained) -> None:
    told = {"examples": str(trained.examples), "loss": repr(trained.loss)}
    _replace(path, lambda partial: save_file(trained.adapter, partial, told))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file that other processes see whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    write(partial)
    partial.replace(path)
