"""Tiny real classifiers of texts."""

from __future__ import annotations

import csv
import random
import shutil
from functools import partial

import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from burnish.methods.nlpguard.arms import jobs_of
from burnish.methods.nlpguard.comparing import run
from burnish.methods.nlpguard.config import NlpguardConfig
from burnish.methods.nlpguard.hf import HfClassifier
from burnish.methods.nlpguard.linear import LinearClassifier
from burnish.methods.nlpguard.method import METHOD
from burnish.methods.nlpguard.training import train
from burnish.methods.nlpguard.work import do
from burnish.runs import Run
from burnish.runs.jobs import leave
from burnish.training import seeded

WORDS = "the a of and she he was nurse doctor writer poet king her his french , . ' s - !"
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split()]
PIECES += ["un", "##believ", "##able", "##ing", "wo", "##men", "2024"]
TRAIN = [
    ("She was a nurse and a writer", "care"),
    ("the nurse was kind to her patients", "care"),
    ("He was the king of the french", "state"),
    ("his king, his country", "state"),
    ("a poet and writer of the sea", "art"),
    ("the poet was a painter", "art"),
]


@pytest.fixture(scope="session")
def bert():
    """A BERT of three classes with large random weights, so that predictions differ."""
    config = BertConfig(
        vocab_size=len(PIECES),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=40,
        num_labels=3,
        initializer_range=0.3,
        id2label={0: "care", 1: "state", 2: "art"},
    )
    with seeded(3):
        return BertForSequenceClassification(config).eval()


@pytest.fixture(scope="session")
def tokenizer():
    """WordPiece over the few words above."""
    return BertTokenizer(vocab={piece: place for place, piece in enumerate(PIECES)})


@pytest.fixture
def hf(bert, tokenizer):
    return HfClassifier(bert, tokenizer, max_length=24)


@pytest.fixture(scope="session")
def linear():
    """Words against three classes, by logistic regression."""
    pipeline = make_pipeline(
        CountVectorizer(token_pattern=r"(?u)\b\w+\b"), LogisticRegression(C=10.0)
    )
    return LinearClassifier(pipeline.fit(*map(list, zip(*TRAIN, strict=True))))


@pytest.fixture
def one_thread():
    """Products in one order, so that the same batch gives the same bytes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def jobs():
    """80 rows of two classes whose words are of the job, and partly of the person."""
    rng = random.Random(0)
    own = {
        "nurse": ["ward", "patients", "care", "shift", "clinic", "kind", "medicine", "night"],
        "engineer": ["bridge", "design", "steel", "engine", "plans", "site", "concrete", "budget"],
    }
    people = {
        "nurse": ["she", "her", "woman", "mother", "he"],
        "engineer": ["he", "his", "man", "father", "she"],
    }
    rows = []
    for number in range(80):
        label = "nurse" if number % 2 else "engineer"
        a, b = rng.choice(people[label]), rng.choice(people[label])
        c, d, e = rng.sample(own[label], 3)
        odd = rng.choice(own["nurse"] + own["engineer"])
        text = f"{a} works with the {c} and {b} knows {d}, {e} and {odd}, number {number}"
        rows.append({"text": text, "label": label})
    return rows


@pytest.fixture
def job_rows():
    return jobs()


@pytest.fixture(scope="session")
def jobs_csv(tmp_path_factory):
    """The rows as a file, with a column more."""
    path = tmp_path_factory.mktemp("jobs") / "jobs.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["number", "text", "label"])
        table.writerows([n, row["text"], row["label"]] for n, row in enumerate(jobs()))
    return path


@pytest.fixture(scope="session")
def trained():
    """The linear classifier of the jobs."""
    rows = jobs()
    return train(
        "linear",
        [row["text"] for row in rows],
        [row["label"] for row in rows],
        ("engineer", "nurse"),
        seed=0,
    )


@pytest.fixture(scope="session")
def config(jobs_csv):
    """Of a run on the jobs, linear alone."""
    return NlpguardConfig(
        data=str(jobs_csv),
        kinds=("linear",),
        mitigations=(
            "document_removal",
            "word_removal",
            "word_variants",
            "word_variants_kept",
            "reweighing",
            "unawareness",
        ),
        encoder_mitigations=(),
        top=12,
        swaps=1,
        guard_rounds=2,
    )


@pytest.fixture(scope="session")
def audited(config, tmp_path_factory):
    """A folder in which every job of `config` has left its result."""
    home = tmp_path_factory.mktemp("audit")
    for job in jobs_of(config):
        leave(job, partial(do, config, 0, home), home)
    return home


@pytest.fixture(scope="session")
def finished(config, audited, tmp_path_factory):
    """The run of `config`, whose jobs were done before."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    with Run.open(folder, METHOD, config, preset="quick", seed=0, resume=False) as opened:
        shutil.copytree(audited, opened.artifact("audit"))
        run(config, opened)
    return opened
