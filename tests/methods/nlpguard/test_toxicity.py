from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.toxicity import CLASSES, read_toxicity

FIXTURE = Path(__file__).with_name("twenty_comments.csv")


def write(tmp_path, text, name="comments.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_fixture_is_read_with_identities_and_without_unscored_rows():
    found = read_toxicity(FIXTURE, identities=["female", "muslim"])
    assert len(found.examples) + found.unlabelled == 20
    assert found.unlabelled == 2
    assert found.examples.label_names == CLASSES
    assert sum(found.examples.labels) == 7
    assert found.examples.texts[1] == "You people, all of you, are idiots.\nGo away."
    assert found.examples.ids[-1] == 19
    assert found.identities["female"].sum() == 4
    assert found.identities["muslim"].dtype == bool
    assert len(found.identities["muslim"]) == len(found.examples)


def test_a_stricter_threshold_calls_fewer_toxic():
    assert sum(read_toxicity(FIXTURE, threshold=0.9).examples.labels) == 4


def test_wikipedia_layout_and_words_as_labels(tmp_path):
    wiki = write(tmp_path, "id,comment_text,toxic,severe_toxic\na,hi,0,0\nb,oaf,1,0\nc,?,-1,-1\n")
    found = read_toxicity(wiki)
    assert (found.examples.texts, found.examples.labels) == (("hi", "oaf"), (0, 1))
    assert found.unlabelled == 1
    lines = write(
        tmp_path,
        '{"text": "hi", "label": "non-toxic"}\n{"text": "oaf", "label": "Toxic"}\n',
        "x.jsonl",
    )
    assert read_toxicity(lines).examples.labels == (0, 1)
    named = write(tmp_path, "post,rude\nhi,0.1\noaf,0.7\n", "named.csv")
    assert read_toxicity(named, text="post", label="rude").examples.labels == (0, 1)


def test_an_identity_without_a_value_was_not_seen(tmp_path):
    path = write(tmp_path, "text,target,male\nhi,0,\noaf,1,0.8\n")
    found = read_toxicity(path, identities=["male"])
    np.testing.assert_array_equal(found.identities["male"], [False, True])


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("text,label\nhi,2\n", {}, "row 1, column 'label', must be 0, 1, a share"),
        ("text,label\nhi,nan\n", {}, "is 'nan'"),
        ("text,label\nhi,rude\n", {}, "is 'rude'"),
        ("text,label\nhi,\n", {}, "no labelled comment"),
        ('text,label\n"",1\n', {}, "row 1, column 'text', must be a text"),
        ("words,label\nhi,1\n", {}, "no column 'comment_text'; there are: 'words', 'label'"),
        ("text,label\nhi,1\n", {"identities": ["male"]}, "no column 'male'"),
        ("text,label,male\nhi,1,7\n", {"identities": ["male"]}, "a share from 0 to 1, but is '7'"),
    ],
)
def test_wrong_files_are_refused_with_the_place(tmp_path, content, options, message):
    with pytest.raises(DataError, match=message):
        read_toxicity(write(tmp_path, content), **options)


def test_the_threshold_is_a_share():
    with pytest.raises(UsageError, match="threshold is a share above 0"):
        read_toxicity(FIXTURE, threshold=0)
