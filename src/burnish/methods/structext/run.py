"""The story of a StrucText-Eval run: ask floors, ceilings and a model; compare; tell.

Every answer is logged as it comes, so a killed run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burnish.chat import ChatModel, ContinuationScorer, connect
from burnish.errors import DataError, UsageError
from burnish.methods.structext import points
from burnish.methods.structext.answerers import (
    Answerer,
    ChatAnswerer,
    Constant,
    CopyLastShot,
    DocumentOrderOracle,
    ForcedChoice,
    Oracle,
    RandomTyped,
    SimpleAnswerer,
)
from burnish.methods.structext.config import StructextConfig
from burnish.methods.structext.evaluation import evaluate, reporting
from burnish.methods.structext.generate import build
from burnish.methods.structext.points import CHOICE, GENERATED, Asked, variant_name
from burnish.methods.structext.prompts import messages
from burnish.methods.structext.results import Evaluation
from burnish.methods.structext.sample import Sample, Suite, load
from burnish.methods.structext.show import draw
from burnish.runs import Run

if TYPE_CHECKING:
    from burnish.models import CausalLM

METRICS = ("rouge_l_75", "exact")
ZERO_SHOT = variant_name(0)
# One run seed gives several suites; each is drawn with a seed of its own, this far from the next.
_FLOOR, _TRAIN, _HELD_OUT = 1_000_003, 2_000_003, 3_000_017
_TRAIN_CELL = (1, 1)


def run(config: StructextConfig, run: Run) -> None:
    """Ask everybody, log what they scored, and draw it."""
    model = None if config.model == "none" else connect(config.model, at_once=config.batch_size)
    if model:
        run.note("model", model.identity)
    variants = _fitting(config, run, model, _variants(config, run.seed))
    for name, suite in variants.items():
        suite.to_jsonl(run.artifact(f"suites/{_slug(name)}.jsonl"))
    asked: Asked = {}
    for name, suite in variants.items():
        for who, answerer in _answerers(config, run.seed, model, name, suite):
            asked[who, name] = _ask(run, who, name, suite, answerer)
    points.log_scores(run, asked)
    points.log_gains(run, asked)
    points.log_contrasts(run, asked, variants)
    points.log_defects(run)
    if config.train_steps:
        _train(config, run)
    draw(run)


def _variants(config: StructextConfig, seed: int) -> dict[str, Suite]:
    """The same questions about the same documents, without and with worked examples."""
    if config.data:
        return {points.GIVEN: _given(config.data)}
    most = max(config.shots)
    shared: dict[str, Any] = {
        "languages": config.languages or None,
        "grid": config.cells,
        "columns": config.columns,
        "n": config.items,
        "seed": seed,
        "profile": config.profile,
        "hints": (config.hints,),
        "shots": (most,),
    }
    same = build(**shared)
    simple = build(simple_shots=True, **shared) if config.simple_shots else Suite(())
    passes = min(config.few_shot_items or config.items, config.items)
    few = len(same) // config.items * passes  # the suite is made pass by pass
    found: dict[str, Suite] = {}
    for shots in sorted(set(config.shots)):
        asked = few if shots else len(same)
        found[variant_name(shots)] = _with_shots(same[:asked], shots)
        if shots and simple:
            found[variant_name(shots, simple=True)] = _with_shots(simple[:asked], shots)
    return found


def _with_shots(samples: Sequence[Sample], shots: int) -> Suite:
    """The same questions with the first worked examples only, so that answers pair up."""
    return Suite(tuple(replace(sample, shots=sample.shots[:shots]) for sample in samples))


def _given(path: str) -> Suite:
    if not Path(path).is_file():
        raise DataError(
            f"no suite at {path}; write one with `burnish structext generate`, or leave data empty"
        )
    return load(path)


def _fitting(
    config: StructextConfig, run: Run, model: ChatModel | None, variants: Mapping[str, Suite]
) -> dict[str, Suite]:
    """The questions whose prompt is short enough in every variant, where the model can count."""
    count = getattr(model, "prompt_tokens", None)
    if count is None:
        return dict(variants)
    kept: dict[str, Suite] = {}
    total = sum(map(len, variants.values()))
    with run.progress(total, "measuring prompts") as progress:
        for name, suite in variants.items():
            fits = []
            for sample in suite:
                if count(messages(sample, prompt=config.prompt)) <= config.max_prompt_tokens:
                    fits.append(sample)
                progress.advance()
            kept[name] = Suite(tuple(fits))
            run.log("left_out_items", len(suite) - len(fits), variant=name)
    if not any(map(len, kept.values())):
        raise UsageError(
            f"every prompt is longer than max_prompt_tokens = {config.max_prompt_tokens}; raise it"
        )
    return {name: suite for name, suite in kept.items() if len(suite)}


def _answerers(
    config: StructextConfig, seed: int, model: ChatModel | None, variant: str, suite: Suite
) -> Iterator[tuple[str, Answerer | SimpleAnswerer]]:
    """Who answers a variant: what does not read examples answers the one without them only."""
    if any(sample.shots for sample in suite):
        yield points.COPY, CopyLastShot()
    if variant in (ZERO_SHOT, points.GIVEN):
        yield points.ORACLE, Oracle()
        yield points.IN_ORDER, DocumentOrderOracle()
        yield points.CONSTANT, Constant(_floor(config, seed, suite))
        yield points.RANDOM, RandomTyped(seed=seed)
        scorer: Any = model
        if config.forced_choice and isinstance(scorer, ContinuationScorer):
            yield CHOICE, ForcedChoice(scorer, prompt=config.prompt, seed=seed)
    if model:
        yield (
            GENERATED,
            ChatAnswerer(
                model,
                prompt=config.prompt,
                style=config.style,
                max_tokens=config.max_new_tokens or None,
                seed=seed,
            ),
        )


def _floor(config: StructextConfig, seed: int, suite: Suite) -> Suite:
    """What the constant answerer is fitted on: the same kinds of question, with another seed."""
    first = suite[0]
    return build(
        languages=tuple(sorted({sample.language for sample in suite})),
        grid=tuple(sorted({(s.difficulty.depth, s.difficulty.width) for s in suite})),
        columns=first.difficulty.columns,
        n=max(20, config.items),
        seed=seed + _FLOOR,
        profile=first.profile,
    )


def _ask(
    run: Run, who: str, variant: str, suite: Sequence[Sample], answerer: Answerer | SimpleAnswerer
) -> Evaluation:
    folder = run.artifact(f"logs/{_slug(who)}/{_slug(variant)}")
    with run.progress(len(suite), f"{who}, {variant}") as progress:
        return evaluate(
            suite, answerer, scorers=METRICS, log_dir=folder, progress=reporting(progress)
        )


def _train(config: StructextConfig, run: Run) -> None:
    """Fine-tune on fresh questions; exact match on held-out ones before and after."""
    from burnish.chat import TransformersChat
    from burnish.models import load_causal_lm

    shared: dict[str, Any] = {
        "languages": config.languages or None,
        "grid": (_TRAIN_CELL,),
        "columns": config.columns,
        # In the official profile a learnt constant would pass for learning to read (D4, D5).
        "profile": "corrected",
    }
    held_out = build(n=config.held_out_items, seed=run.seed + _HELD_OUT, **shared)
    batch = config.batch_size
    lm = load_causal_lm(config.model)
    before = ChatAnswerer(TransformersChat(lm, batch_size=batch), prompt=config.prompt)
    scored = {"before": _ask(run, "training", "before", held_out, before)}
    trained = _fine_tuned(config, run, lm, _unseen(config, run.seed, held_out, shared))
    after = ChatAnswerer(TransformersChat(trained, batch_size=batch), prompt=config.prompt)
    scored["after"] = _ask(run, "training", "after", held_out, after)
    points.log_training(run, scored["before"], scored["after"])


def _unseen(
    config: StructextConfig, seed: int, held_out: Suite, shared: Mapping[str, Any]
) -> list[Sample]:
    """Distinct questions to train on, none of which is held out."""
    taken = {(sample.text, sample.question) for sample in held_out}
    wanted = config.train_steps * config.train_batch
    found: list[Sample] = []
    per_pass = len(build(n=1, seed=seed, **shared))
    for sample in build(n=2 * wanted // per_pass + 2, seed=seed + _TRAIN, **shared):
        key = (sample.text, sample.question)
        if key not in taken:
            taken.add(key)
            found.append(sample)
    return found


def _fine_tuned(
    config: StructextConfig, run: Run, lm: CausalLM, samples: Sequence[Sample]
) -> CausalLM:
    """The model after training; read back from the run folder if it was trained already."""
    from burnish.methods.structext.train import Training, fine_tune
    from burnish.models import load_causal_lm

    folder = run.artifact("trained-model")
    if not folder.is_dir():
        training = Training(
            steps=config.train_steps,
            batch=config.train_batch,
            learning_rate=config.learning_rate,
            lora_rank=config.lora_rank,
            max_tokens=config.max_prompt_tokens,
            seed=run.seed,
        )
        checkpoints = run.artifact("checkpoints")
        with run.progress(config.train_steps, "fine-tuning") as progress:

            def on_step(step: int, loss: float) -> None:
                run.log("training_loss_nats", loss, step=step)
                progress.advance()

            model = fine_tune(
                lm.model, lm.tokenizer, samples, training, checkpoints, on_step=on_step
            )
        partial = folder.with_name("trained-model.partial")
        model.save_pretrained(partial)
        lm.tokenizer.save_pretrained(partial)
        partial.rename(folder)
    trained = load_causal_lm(str(folder))
    # The folder's place must not change what the answers are logged under.
    return replace(trained, identity=f"{lm.identity}, fine-tuned")


def _slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "-")
