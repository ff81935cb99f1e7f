"""A tiny real classifier, its tokenizer, and rows in which a word goes with the label."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.training import TrainedEncoder
from burnish.training import seeded

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "he", "she", "wo", "##man", "man", "sri"]
PIECES += ["lanka", "##n", "wrote", "played", "well", "today", "##ly", ",", ".", "the", "-"]
CLASSES = ("writer", "player")


@pytest.fixture
def tiny(tmp_path):
    """`classifier` on two classes, its `tokenizer`, and `copy` to make another of a seed."""
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"))

    def copy(seed=0, **changes):
        shape = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
        shape |= {"num_labels": len(CLASSES)} | changes
        with seeded(seed):
            config = BertConfig(
                vocab_size=len(PIECES), num_hidden_layers=2, initializer_range=0.3,
                max_position_embeddings=32, **shape,
            )  # fmt: skip
            return BertForSequenceClassification(config).eval()

    classifier = TrainedEncoder(copy(), tokenizer, CLASSES)
    return SimpleNamespace(classifier=classifier, tokenizer=tokenizer, copy=copy)


@pytest.fixture
def biased():
    """40 `rows`, `protected` words, and a `matcher` of them: "she" goes with writers."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for at in range(40):
        label = at % 2
        swap = torch.rand((), generator=generator).item() < 0.2
        who = ("she", "he")[label ^ swap]
        rest = ("well", "today", "well today", "the man")[at % 4]
        rows.append({"text": f"{who} {('wrote', 'played')[label]} {rest}", "label": label})
    protected = Protected({"she": "sex", "he": "sex", "sri lankan": "race", "woman": "sex"})
    return SimpleNamespace(rows=Rows.of(rows), protected=protected, matcher=Matcher({"she": "sex"}))
