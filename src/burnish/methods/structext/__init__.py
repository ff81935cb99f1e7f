"""StrucText-Eval, a test of whether a language model can read structure-rich text.

Gu et al., arXiv 2406.10621. Everything public is importable from here and loaded on first use:
generating and solving need nothing but the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.methods.structext.answerers import (
        Answer,
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
    from burnish.methods.structext.evaluation import evaluate
    from burnish.methods.structext.exports import (
        export_datasets,
        export_inspect,
        export_lm_eval,
        inspect_task,
        reasoning_gym_dataset,
        to_dataset,
    )
    from burnish.methods.structext.generate import build
    from burnish.methods.structext.method import METHOD
    from burnish.methods.structext.prompts import messages
    from burnish.methods.structext.release import load_release
    from burnish.methods.structext.results import Evaluation, load_log
    from burnish.methods.structext.rouge import rouge_l
    from burnish.methods.structext.rules import LANGUAGES, RULES, TASKS
    from burnish.methods.structext.sample import Difficulty, Sample, Shot, Suite, load
    from burnish.methods.structext.scorers import METRICS, score
    from burnish.methods.structext.solver import solve

_HOME = {
    "answerers": (
        "Answer",
        "Answerer",
        "ChatAnswerer",
        "Constant",
        "CopyLastShot",
        "DocumentOrderOracle",
        "ForcedChoice",
        "Oracle",
        "RandomTyped",
        "SimpleAnswerer",
    ),
    "evaluation": ("evaluate",),
    "exports": (
        "export_datasets",
        "export_inspect",
        "export_lm_eval",
        "inspect_task",
        "reasoning_gym_dataset",
        "to_dataset",
    ),
    "generate": ("build",),
    "method": ("METHOD",),
    "prompts": ("messages",),
    "release": ("load_release",),
    "results": ("Evaluation", "load_log"),
    "rouge": ("rouge_l",),
    "rules": ("LANGUAGES", "RULES", "TASKS"),
    "sample": ("Difficulty", "Sample", "Shot", "Suite", "load"),
    "scorers": ("METRICS", "score"),
    "solver": ("solve",),
}

__all__ = [
    "LANGUAGES",
    "METHOD",
    "METRICS",
    "RULES",
    "TASKS",
    "Answer",
    "Answerer",
    "ChatAnswerer",
    "Constant",
    "CopyLastShot",
    "Difficulty",
    "DocumentOrderOracle",
    "Evaluation",
    "ForcedChoice",
    "Oracle",
    "RandomTyped",
    "Sample",
    "Shot",
    "SimpleAnswerer",
    "Suite",
    "build",
    "evaluate",
    "export_datasets",
    "export_inspect",
    "export_lm_eval",
    "inspect_task",
    "load",
    "load_log",
    "load_release",
    "messages",
    "reasoning_gym_dataset",
    "rouge_l",
    "score",
    "solve",
    "to_dataset",
]


__getattr__ = lazily(__name__, _HOME)
