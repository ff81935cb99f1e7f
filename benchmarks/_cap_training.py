"""Time what the contrast adds to a training step, and banks against plain inference.

Both sides of a ratio run in one process on one thread and take turns batch by batch; the fastest
of several rounds counts for each batch, since noise only ever adds. What vectors a bank holds does
not matter for time, so the banks of the training part hold random ones. Functions return plain
rows, which `python benchmarks/cap.py` prints.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from burnish.data import Encoded, encode, load_set
from burnish.methods.cap.banks import Bank
from burnish.methods.cap.objective import CapObjective
from burnish.methods.cap.pruner import ContrastivePruner
from burnish.methods.cap.schedules import Stages
from burnish.methods.cap.units import FirstOrder
from burnish.methods.cap.work import LOGITS, Rows, Work
from burnish.models.heads import fresh_head
from burnish.models.options import quiet
from burnish.training import fit

Row = dict[str, str | int | float | None]

BATCH, STEPS = 32, 6
MOST_ADDED, LEAST_SPEED = 1.15, 0.9  # the ratios that are promised


def training_rows(*, examples: int = 2048, rounds: int = 3) -> list[Row]:
    """CPU seconds of a step with distillation alone, and with all three views beside it.

    So many tweets that the default 1,024 further keys of each bank are drawn in full; with two
    past stages. Embeddings are frozen, as in the presets, which makes the step cheaper and the
    share of the contrast larger.
    """
    with _one_thread(), tempfile.TemporaryDirectory() as folder:
        work = _work(Path(folder) / "new", examples)
        for seed, name in enumerate(("pre", "snap-01", "snap-02", "fine")):
            _fill(work.banks.begin(name), examples, 384, seed)
        logits = Bank(
            work.folder / "banks" / LOGITS, examples, 3, work.accelerator, dtype=np.float32
        )
        _fill(logits, examples, 3, 9)
        work.bind()
        alone, contrasted = _steps(work, rounds)
    return [
        _step_row("distillation", alone, alone, None),
        _step_row("distillation and contrast", contrasted, alone, MOST_ADDED),
    ]


def bank_rows(*, examples: int = 512, rounds: int = 2) -> list[Row]:
    """Tokens a second into a bank, and through the same model in the same batches."""
    with _one_thread(), tempfile.TemporaryDirectory() as folder:
        work = _work(Path(folder) / "new", examples)
        plain = _classifier(0)
        batches = work.plan(1, "bank")
        bank = work.banks.begin("pre")
        ours, theirs = _turns(
            batches,
            lambda rows: bank.put(rows, work.encode(rows)),
            lambda rows: _infer(plain, work.examples, rows),
            rounds,
        )
        bank.close()
    tokens = int(work.examples.lengths.sum())
    speeds = {"plain inference": tokens / theirs, "into a bank": tokens / ours}
    return [
        {
            "what": name,
            "examples": examples,
            "tokens_per_cpu_s": speed,
            "ratio": speed / speeds["plain inference"],
            "lowest_ratio": LEAST_SPEED if name == "into a bank" else None,
        }
        for name, speed in speeds.items()
    ]


def _step_row(name: str, seconds: float, base: float, most: float | None) -> Row:
    return {
        "what": name,
        "batch": BATCH,
        "cpu_s_per_step": seconds / STEPS,
        "ratio": seconds / base,
        "highest_ratio": most,
    }


def _steps(work: Work, rounds: int) -> tuple[float, float]:
    """CPU seconds of a step for each batch: without the contrast, and with it."""
    batches = work.plan(1, "steps")[:STEPS]
    plan = [rows for _ in range(rounds) for rows in batches for _ in range(2)]
    took = np.zeros(len(plan))

    def loss(module: nn.Module, rows: Rows, step: int) -> Tensor:
        return work.losses(module, rows, step=f"{step // 2}", contrast=step % 2 == 1)[0].total

    def begin(step: int) -> None:
        took[step] -= time.process_time()

    def end(step: int, _: float) -> None:
        took[step - 1] += time.process_time()

    fit(
        work.module,
        loss,
        plan,
        work.training,
        accelerator=work.accelerator,
        before_step=begin,
        after_step=end,
    )
    alone, contrasted = took.reshape(rounds, len(batches), 2).min(0).sum(0)
    return float(alone), float(contrasted)


def _turns(
    batches: list[Rows],
    ours: Callable[[Rows], object],
    theirs: Callable[[Rows], object],
    rounds: int,
) -> tuple[float, float]:
    """CPU seconds of all batches, by each of two functions."""
    took = np.zeros((rounds + 1, len(batches), 2))
    for turn in range(rounds + 1):
        for number, rows in enumerate(batches):
            for side, run in enumerate((ours, theirs)):
                begun = time.process_time()
                run(rows)
                took[turn, number, side] = time.process_time() - begun
    first, second = took[1:].min(0).sum(0)  # the first turn warms up
    return float(first), float(second)


def _infer(model: nn.Module, examples: Encoded, rows: Rows) -> object:
    inputs = examples.batch(rows)
    inputs.pop("labels")
    with torch.no_grad():
        return model(**inputs)


def _work(folder: Path, examples: int) -> Work:
    tweets = load_set("tweets", train=examples).train
    made = fresh_head(
        "all-minilm-l6-v2",
        "classification",
        torch.Generator().manual_seed(0),
        labels=tweets.label_names,
        device="cpu",
    )
    return ContrastivePruner(
        made.model,
        teacher=_classifier(1),
        train=encode(tweets, made.tokenizer, max_length=64),
        criterion=FirstOrder(),
        schedule=Stages((0.5,)),
        objective=CapObjective(extra=min(1024, examples // 2), pooling="mean"),
        batch_size=BATCH,
        bank_dir=folder,
        freeze_embeddings=True,
    ).work


def _classifier(seed: int) -> Any:
    with quiet():
        return fresh_head(
            "all-minilm-l6-v2",
            "classification",
            torch.Generator().manual_seed(seed),
            labels=("negative", "neutral", "positive"),
            device="cpu",
        ).model


def _fill(bank: Bank, size: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    bank.put(np.arange(size), torch.randn(size, width, generator=generator))
    bank.close()


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
