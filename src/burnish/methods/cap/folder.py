"""A folder that holds one pruning: what it was told, its work under way, and what it gave.

```text
pruned/            dense shape with zeros; plain transformers loads it; tokenizer beside it
keep.safetensors   heads and units that stay in each layer; structured pruning alone
history.json       stages, metrics, settings; written last
teacher/           the fine-tuned model, where it was fine-tuned here
work/              banks and checkpoints of a pruning that is not finished
```
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerBase

from burnish.errors import UsageError
from burnish.methods.cap.named import STRUCTURED, UNSTRUCTURED, ZEROS, load_any
from burnish.methods.cap.pruner import Pruned
from burnish.methods.cap.result import Stage
from burnish.models.options import quiet
from burnish.models.shrinking import LayerKeep, shrink


@dataclass(frozen=True)
class PruningFolder:
    """Where a pruning is; nothing is made before `begin`."""

    path: Path

    @property
    def pruned(self) -> Path:
        """The model with zeros."""
        return self.path / "pruned"

    @property
    def teacher(self) -> Path:
        """A teacher that was fine-tuned here."""
        return self.path / "teacher"

    @property
    def banks(self) -> Path:
        """For `ContrastivePruner`."""
        return self.path / "work" / "pruning"

    @property
    def _settings(self) -> Path:
        return self.path / "work" / "settings.json"

    @property
    def _history(self) -> Path:
        return self.path / "history.json"

    @property
    def _keep(self) -> Path:
        return self.path / "keep.safetensors"

    def check_free(self, *, resume: bool) -> None:
        """Refuse a folder with something in it, unless its pruning is to go on.

        Raises:
            UsageError: it is not empty, or holds no pruning to go on with.
        """
        taken = self.path.exists() and any(
            each.is_file() and each.suffix != ".partial" for each in self.path.rglob("*")
        )
        if not taken:
            return
        if not resume:
            raise UsageError(
                f"{self.path} is not empty; add --resume to go on with the pruning in it, or name "
                "another folder"
            )
        if not self._settings.exists() and not self._history.exists():
            raise UsageError(
                f"{self.path} holds no pruning to go on with; name the folder of one, or an empty "
                "one without --resume"
            )

    def finished(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """The history of a pruning that is done; None where there is work to do.

        Raises:
            UsageError: the folder was begun with other settings; names one.
        """
        history: dict[str, Any] | None = None
        recorded: dict[str, Any] | None = None
        if self._history.exists():
            history = json.loads(self._history.read_text(encoding="utf-8"))
            recorded = history["settings"]
        elif self._settings.exists():
            recorded = json.loads(self._settings.read_text(encoding="utf-8"))
        if recorded is not None:
            now = json.loads(json.dumps(settings))
            for name in {**recorded, **now}:
                if recorded.get(name) != now.get(name):
                    raise UsageError(
                        f"{self.path} was begun with {name} {recorded.get(name)}, now it is "
                        f"{now.get(name)}; use what it was begun with, or name another folder"
                    )
        if history is not None:
            self._discard_work()
        return history

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Write down what the pruning was told."""
        self._settings.parent.mkdir(parents=True, exist_ok=True)
        _write(self._settings, settings)

    def finish(
        self, pruned: Pruned, tokenizer: PreTrainedTokenizerBase, history: Mapping[str, Any]
    ) -> None:
        """Write the result, then the history that says it is there; the work is deleted."""
        model: Any = pruned.masked()
        setattr(model.config, ZEROS, STRUCTURED if pruned.structured else UNSTRUCTURED)
        with quiet():
            model.save_pretrained(self.pruned)
        tokenizer.save_pretrained(self.pruned)
        if pruned.structured:
            kept = {
                f"layer.{number}.{kind}": getattr(keep, kind)
                for number, keep in enumerate(pruned.keep)
                for kind in ("heads", "units")
            }
            save_file(kept, self._keep)
        _write(self._history, history)
        self._discard_work()

    def read(self) -> tuple[Pruned, PreTrainedTokenizerBase]:
        """What a finished pruning gave, on the processor, and the tokenizer.

        Raises:
            UsageError: there is none, it is not finished, or it is damaged.
        """
        if not self._history.exists():
            if self._settings.exists():
                raise UsageError(
                    f"the pruning in {self.path} is not finished; go on with the same command and "
                    "--resume"
                )
            raise UsageError(
                f"{self.path} is no folder of a pruning: it has no history.json; name the folder "
                "that burnish cap prune wrote"
            )
        history = json.loads(self._history.read_text(encoding="utf-8"))
        loaded = load_any(self.pruned)
        config: Any = loaded.model.config
        vars(config).pop(ZEROS, None)
        dense_config = copy.deepcopy(config)
        keep = self._read_keep()
        if keep:
            shrink(loaded.model, keep)
        known = {field.name for field in fields(Stage)}
        stages = tuple(
            Stage(**{name: value for name, value in each.items() if name in known})
            for each in history["stages"]
        )
        pruned = Pruned(loaded.model, stages, keep, dense_config, history["cpu_seconds"])
        return pruned, loaded.tokenizer

    def _read_keep(self) -> tuple[LayerKeep, ...]:
        if not self._keep.exists():
            return ()
        try:
            kept = load_file(self._keep)
            return tuple(
                LayerKeep(kept[f"layer.{number}.heads"], kept[f"layer.{number}.units"])
                for number in range(len(kept) // 2)
            )
        except (SafetensorError, LookupError) as error:
            raise UsageError(f"{self._keep} is damaged ({error}); prune again") from error

    def _discard_work(self) -> None:
        shutil.rmtree(self.path / "work", ignore_errors=True)


def _write(path: Path, values: Mapping[str, Any]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
