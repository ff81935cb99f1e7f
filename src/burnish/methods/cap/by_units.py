"""CAP-f: heads and feed-forward units go, stage by stage, and the model really shrinks.

Departures from the released code: what a stage removes is cut out of the matrices at once, not
masked, so later stages train a smaller model; gradients of masked parts are zero, so the weights
that stay are trained the same. One forward pass serves both the scores and the bank of a stage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from burnish.errors import ConfigError
from burnish.methods.cap.result import Stage
from burnish.methods.cap.schedules import Stages
from burnish.methods.cap.units import (
    UnitCriterion,
    UnitKind,
    UnitState,
    keep_digest,
    surviving,
    unit_masks,
    unit_weights,
)
from burnish.methods.cap.work import Work
from burnish.models.anatomy import layer_parts
from burnish.models.shrinking import LayerKeep, shrink
from burnish.training import Checkpoint, fit

STATE, WEIGHTS = "pruning.json", "stage.safetensors"
Kept = dict[UnitKind, list[Tensor]]


@dataclass
class Progress:
    """Where a pruning is, as `pruning.json` keeps it.

    Attributes:
        stage: the stage under way, from 0.
        trained: whether its retraining is done.
        kept: original positions of what stays, by kind and layer.
        history: finished stages.
        before: the metric of the stage under way before retraining.
    """

    stage: int
    trained: bool
    kept: Kept
    history: list[Stage]
    before: float | None = None


def check_stages(work: Work, criterion: UnitCriterion, schedule: Stages) -> None:
    """Refuse a schedule that the model cannot follow, before anything is trained.

    Raises:
        ConfigError: more heads would have to go than can while every layer keeps one, or the
            model was pruned before.
    """
    _whole(work)
    layers = layer_parts(work.model)
    if "heads" in criterion.units:
        surviving(
            [torch.ones(each.heads) for each in layers],
            layers[0].heads,
            schedule.sparsities[-1],
            protect=True,
        )


def prune_by_units(
    work: Work, criterion: UnitCriterion, schedule: Stages, *, resume: bool
) -> tuple[Kept, list[Stage]]:
    """Prune `work.model` in place; it ends in its shrunk shape.

    Returns:
        The original positions of the heads and units that stay, and the stages.
    """
    whole = _whole(work)
    asked = work.asked(criterion, schedule)
    progress = _begun(work, asked) if resume else None
    work.bind()
    if progress is None:
        progress = Progress(-1, True, _everything(whole, len(layer_parts(work.model))), [])
    for index in range(max(progress.stage, 0), len(schedule.sparsities)):
        if progress.trained and index > progress.stage:
            progress = _next_stage(work, criterion, schedule, index, progress, whole)
            _save(work, progress, asked)
        if not progress.trained:
            _retrain(work, schedule, progress)
            progress.history.append(_stage(work, schedule, progress, whole))
            work.finished(progress.history[-1])
            progress.trained = True
            _save(work, progress, asked)
            _checkpoint(work, progress.stage).discard()
    return progress.kept, progress.history


def _whole(work: Work) -> dict[UnitKind, int]:
    """Heads and units that each layer has before anything is pruned."""
    layers = layer_parts(work.model)
    if len({(each.heads, each.units) for each in layers}) > 1:
        raise ConfigError("a model whose layers differ in shape was pruned before; start dense")
    return {"heads": layers[0].heads, "ffn": layers[0].units}


def _everything(whole: dict[UnitKind, int], layers: int) -> Kept:
    return {kind: [torch.arange(count)] * layers for kind, count in whole.items()}


def _next_stage(
    work: Work,
    criterion: UnitCriterion,
    schedule: Stages,
    index: int,
    progress: Progress,
    whole: dict[UnitKind, int],
) -> Progress:
    """Score, keep a bank of the model as it is, and cut."""
    kept = progress.kept
    name = "pre" if index == 0 else f"snap-{index:02d}"
    scores = _scores(work, criterion, name)
    cut: Kept = {}
    for kind, there in kept.items():
        if kind in criterion.units:
            share = schedule.sparsities[index]
            stay = surviving(scores[kind], whole[kind], share, protect=kind == "heads")
        else:
            stay = [torch.arange(len(each)) for each in there]
        cut[kind] = stay
    shrink(work.model, [LayerKeep(*pair) for pair in zip(cut["heads"], cut["ffn"], strict=True)])
    now: Kept = {
        kind: [each[part] for each, part in zip(kept[kind], cut[kind], strict=True)]
        for kind in kept
    }
    return Progress(index, False, now, progress.history, work.metric())


def _scores(work: Work, criterion: UnitCriterion, bank: str) -> dict[UnitKind, list[Tensor]]:
    """Scores of all that is there; fills the bank of that name on the way."""
    layers = layer_parts(work.model)
    sums: dict[UnitKind, list[Tensor]] = {}
    if criterion.sensitive:
        sums = _sensitivities(work, bank)
    else:
        work.snapshot(bank)
    with work.timed("importance"):
        return {
            kind: [
                criterion.score(
                    UnitState(unit_weights(each, kind), sums[kind][layer] if sums else None)
                ).cpu()
                for layer, each in enumerate(layers)
            ]
            for kind in criterion.units
        }


def _sensitivities(work: Work, bank: str) -> dict[UnitKind, list[Tensor]]:
    """Sum over batches of |dL/dm| of every mask; the vectors seen on the way fill a bank.

    The first time there is no contrast, as in the released code.
    """
    layers = layer_parts(work.model)
    wanted = [each for each in work.module.parameters() if each.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)  # only the masks' gradients are asked for
    work.module.eval()
    world, own = work.accelerator.num_processes, work.accelerator.process_index
    filling = work.banks.begin(bank) if work.wants(bank) else None
    try:
        with work.timed("importance"), unit_masks(layers) as masks:
            flat = [*masks["heads"], *masks["ffn"]]
            sums = [torch.zeros_like(mask) for mask in flat]
            for number, rows in enumerate(work.shared(work.plan(1, "importance", bank))):
                asked = rows if len(rows) else work.plan(1, "importance", bank)[0][:1]
                with work.autocast():
                    losses, vectors = work.losses(
                        work.module,
                        asked,
                        step=f"importance/{bank}/{number * world + own}",
                        contrast=bank != "pre",
                    )
                found = torch.autograd.grad(losses.total, flat)
                if len(rows):
                    sums = [each + grad.abs() for each, grad in zip(sums, found, strict=True)]
                if filling:
                    filling.put(rows, vectors[: len(rows)].detach())
        if filling:
            filling.close()
    finally:
        for parameter in wanted:
            parameter.requires_grad_()
    reduced: Sequence[Tensor] = [work.accelerator.reduce(each, "sum") for each in sums]
    return {"heads": list(reduced[: len(layers)]), "ffn": list(reduced[len(layers) :])}


def _retrain(work: Work, schedule: Stages, progress: Progress) -> None:
    index = progress.stage
    plan = work.plan(schedule.epochs_after(index), "stage", index)

    def loss(module: torch.nn.Module, rows: Any, step: int) -> Tensor:
        losses, _ = work.losses(module, rows, step=f"stage/{index}/{step}", contrast=True)
        work.told(index, step + 1, len(plan), losses)
        return losses.total

    with work.timed("training"):
        fit(
            work.module,
            loss,
            plan,
            work.stage_training(index),
            accelerator=work.accelerator,
            checkpoint=_checkpoint(work, index),
        )


def _checkpoint(work: Work, stage: int) -> Checkpoint:
    return Checkpoint(work.folder / f"step-{stage}.pt")


def _stage(work: Work, schedule: Stages, progress: Progress, whole: dict[UnitKind, int]) -> Stage:
    kept = progress.kept
    layers = len(kept["heads"])
    counts = {kind: sum(map(len, parts)) for kind, parts in kept.items()}
    return Stage(
        sparsity=schedule.sparsities[progress.stage],
        removed={kind: whole[kind] * layers - counts[kind] for kind in kept},
        total={kind: whole[kind] * layers for kind in kept},
        before=progress.before,
        after=work.metric(),
        heads=tuple(map(len, kept["heads"])),
        units=tuple(map(len, kept["ffn"])),
        digest=keep_digest(list(zip(kept["heads"], kept["ffn"], strict=True))),
    )


def _save(work: Work, progress: Progress, asked: Mapping[str, str]) -> None:
    """Weights first, then the state that says they are there."""
    banks = work.banks.digest()
    if work.accelerator.is_main_process:
        state = {name: value.contiguous() for name, value in work.module.state_dict().items()}
        _replace(work.folder / WEIGHTS, lambda path: save_file(state, path))
        text = json.dumps(
            {
                "stage": progress.stage,
                "trained": progress.trained,
                "kept": {k: [p.tolist() for p in parts] for k, parts in progress.kept.items()},
                "history": [stage.as_dict() for stage in progress.history],
                "before": progress.before,
                "asked": dict(asked),
                "banks": banks,
            }
        )
        _replace(work.folder / STATE, lambda path: path.write_text(text))
    work.accelerator.wait_for_everyone()


def _replace(path: Path, write: Any) -> None:
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)  # without banks nothing has made it yet
    write(partial)
    partial.replace(path)


def _begun(work: Work, asked: Mapping[str, str]) -> Progress | None:
    """Where an earlier process stopped, with the model brought to that state."""
    path = work.folder / STATE
    if not path.exists():
        work.banks.verify({})  # of what was not recorded, nobody knows what it was made with
        return None
    state = json.loads(path.read_text())
    work.check_asked(state["asked"], asked)
    work.banks.verify(state["banks"])
    kept: Kept = {k: [torch.tensor(p, dtype=torch.long) for p in parts]
                  for k, parts in state["kept"].items()}  # fmt: skip
    shrink(work.model, [LayerKeep(*pair) for pair in zip(kept["heads"], kept["ffn"], strict=True)])
    work.module.load_state_dict(load_file(work.folder / WEIGHTS))
    history = [Stage(**{**each, "heads": tuple(each["heads"]), "units": tuple(each["units"])})
               for each in state["history"]]  # fmt: skip
    return Progress(state["stage"], state["trained"], kept, history, state["before"])
