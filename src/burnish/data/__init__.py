"""Labelled text: the embedded sets, a user's files, and what a model is fed from them.

Everything public loads on first use, so that naming a data set draws neither torch nor pandas in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.data.answers import (
        AnswerScores,
        best_answers,
        exact_match,
        score_answers,
        token_f1,
    )
    from burnish.data.batching import eval_batches, plan_batches
    from burnish.data.counterfactuals import Counterfactuals, load_counterfactuals
    from burnish.data.embedded import SETS, SetRecord, TextSet, load_set
    from burnish.data.encoding import Encoded, encode
    from burnish.data.examples import Examples, Task
    from burnish.data.reading import read_examples
    from burnish.data.splitting import train_test

_HOME = {
    "answers": ("AnswerScores", "best_answers", "exact_match", "score_answers", "token_f1"),
    "batching": ("eval_batches", "plan_batches"),
    "counterfactuals": ("Counterfactuals", "load_counterfactuals"),
    "embedded": ("SETS", "SetRecord", "TextSet", "load_set"),
    "encoding": ("Encoded", "encode"),
    "examples": ("Examples", "Task"),
    "reading": ("read_examples",),
    "splitting": ("train_test",),
}

__all__ = [
    "SETS",
    "AnswerScores",
    "Counterfactuals",
    "Encoded",
    "Examples",
    "SetRecord",
    "Task",
    "TextSet",
    "best_answers",
    "encode",
    "eval_batches",
    "exact_match",
    "load_counterfactuals",
    "load_set",
    "plan_batches",
    "read_examples",
    "score_answers",
    "token_f1",
    "train_test",
]


__getattr__ = lazily(__name__, _HOME)
