"""Fine-tune a causal LM on fresh StrucText-Eval questions, with loss on the answer alone.

Versions 1 and 2 of the paper report that fine-tuning lifts every language; version 3 gives no
model, data size or rate. Departures: LoRA on every linear layer, AdamW with a linear schedule, and
one pass over questions that are all distinct, so nothing is learnt by heart.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burnish.errors import ConfigError
from burnish.methods.structext.prompts import messages
from burnish.methods.structext.sample import Sample

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

IGNORED = -100  # the label that cross-entropy leaves out
_WINDOW = 10  # steps whose questions are sorted by length together

Row = dict[str, list[int]]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How to fine-tune.

    Attributes:
        steps: optimiser steps.
        batch: questions in a step.
        learning_rate: peak, after a warm-up over a twentieth of the steps, then linear to 0.
        lora_rank: rank of the adapters on every linear layer; 0 trains every weight.
        max_tokens: longer questions are left out.
        seed: of the order of the questions and of the adapters' first weights.
    """

    steps: int
    batch: int
    learning_rate: float
    lora_rank: int
    max_tokens: int
    seed: int


def tokenise(sample: Sample, tokenizer: PreTrainedTokenizerBase) -> Row:
    """Prompt and answer as one sequence of T token ids; labels (T,) are the answer and its end."""
    chat = [{"role": turn.role, "content": turn.content} for turn in messages(sample)]
    prompt = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    answer = tokenizer(sample.answer + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    return {"input_ids": before + answer, "labels": [IGNORED] * len(before) + answer}


def fine_tune(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    samples: Sequence[Sample],
    training: Training,
    folder: Path,
    *,
    on_step: Callable[[int, float], None],
) -> PreTrainedModel:
    """Train on `samples` in seeded order and return the model with its adapters merged.

    Args:
        model: a causal LM in float32; its weights change.
        tokenizer: with a chat template.
        samples: at least `steps * batch` questions of at most `max_tokens`; none is used twice.
        training: settings.
        folder: checkpoints; a run that was killed goes on from the newest.
        on_step: told the step (from 1) and its loss, nats a token.

    Raises:
        ConfigError: too few questions for the steps asked for.
    """
    rows = [tokenise(sample, tokenizer) for sample in samples]
    rows = [row for row in rows if len(row["input_ids"]) <= training.max_tokens]
    wanted = training.steps * training.batch
    if len(rows) < wanted:
        raise ConfigError(
            f"{training.steps} steps of {training.batch} need {wanted} questions of at most "
            f"{training.max_tokens} tokens, got {len(rows)}; train fewer steps or build more"
        )
    rows = _ordered(rows, training)
    with _global_random_state():
        trainer = _trainer(model, tokenizer, rows, training, folder, on_step)
        trainer.train(resume_from_checkpoint=any(folder.glob("checkpoint-*")))
    trained: Any = trainer.model
    merged: PreTrainedModel = trained.merge_and_unload() if training.lora_rank else trained
    return merged


def _ordered(rows: list[Row], training: Training) -> list[Row]:
    """The rows of all steps in order: drawn at random, but alike in length within a step.

    Padding would otherwise be a quarter of the work.
    """
    rng = random.Random(training.seed)
    rng.shuffle(rows)
    ordered: list[Row] = []
    wanted, window = training.steps * training.batch, _WINDOW * training.batch
    for start in range(0, wanted, window):
        alike = sorted(rows[start : min(start + window, wanted)], key=lambda r: len(r["labels"]))
        steps = [alike[at : at + training.batch] for at in range(0, len(alike), training.batch)]
        rng.shuffle(steps)
        ordered += [row for step in steps for row in step]
    return ordered


@contextmanager
def _global_random_state() -> Iterator[None]:
    """Puts back what the trainer, which seeds the whole process, changes."""
    import numpy as np
    import torch

    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what the trainer uses
    with torch.random.fork_rng():
        yield
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002


def _trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[Row],
    training: Training,
    folder: Path,
    on_step: Callable[[int, float], None],
) -> Trainer:
    from peft import LoraConfig, get_peft_model
    from torch.nn.functional import cross_entropy
    from transformers import (
        DataCollatorForSeq2Seq,
        PrinterCallback,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    class AnswerTrainer(Trainer):
        """Projects only labelled positions to the vocabulary, a fifth of the work otherwise."""

        def compute_loss(self, model: Any, inputs: Any, *_: Any, **__: Any) -> Any:
            base = model.get_base_model() if hasattr(model, "get_base_model") else model
            labels = inputs.pop("labels")[:, 1:]
            hidden = base.base_model(**inputs).last_hidden_state[:, :-1]
            scored = labels != IGNORED
            return cross_entropy(base.lm_head(hidden[scored]), labels[scored])

    class Report(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                on_step(state.global_step, float(logs["loss"]))

    trained: Any = model
    if training.lora_rank:
        set_seed(training.seed)
        adapters = LoraConfig(
            r=training.lora_rank,
            lora_alpha=2 * training.lora_rank,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        with warnings.catch_warnings():  # peft 0.21 reads a name that transformers 5 deprecates
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            trained = get_peft_model(model, adapters)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=training.steps,
        per_device_train_batch_size=training.batch,
        learning_rate=training.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=max(1, training.steps // 20),
        logging_steps=1,
        save_steps=50,
        save_total_limit=1,
        seed=training.seed,
        train_sampling_strategy="sequential",
        use_cpu=not _has_gpu(),
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    trainer = AnswerTrainer(
        model=trained,
        args=arguments,
        train_dataset=rows,
        data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True, label_pad_token_id=IGNORED),
        callbacks=[Report()],
    )
    trainer.remove_callback(PrinterCallback)  # it writes to standard output
    return trainer


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
