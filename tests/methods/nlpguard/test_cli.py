"""`burnish nlpguard VERB` on a file and a linear model."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import get_args

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from burnish.methods.nlpguard import (
    STRATEGIES,
    Ledger,
    LinearClassifier,
    Protected,
    WordTable,
    train,
)
from burnish.methods.nlpguard.annotation import hashed
from burnish.methods.nlpguard.cli import nlpguard
from burnish.methods.nlpguard.opening import ExplainerName
from burnish.methods.nlpguard.words import Granularity


def call(*arguments):
    return CliRunner().invoke(nlpguard, list(map(str, arguments)))


def told(*arguments):
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def refused(code, match, *arguments):
    """The error of a call, as the command line would print it."""
    result = call(*arguments)
    error = result.exception
    assert getattr(error, "exit_code", result.exit_code) == code, error
    said = f"{error}\n{result.output}"
    assert match in said
    return said


@pytest.fixture(scope="module")
def world(tmp_path_factory, trained, jobs_csv):
    """A model, its table and its protected words."""
    home = tmp_path_factory.mktemp("world")
    trained.save(home / "model")
    table, words = home / "table.parquet", home / "words.json"
    told("explain", home / "model", jobs_csv, "-o", table)
    told("identify", table, "--top", 12, "--data", jobs_csv, "-o", words)
    return home


def test_explain_writes_a_table_and_goes_on_from_a_checkpoint(world, jobs_csv, tmp_path):
    first, out = ("explain", world / "model", jobs_csv), tmp_path / "table.parquet"
    found = told(*first, "-o", out, "--checkpoint", tmp_path / "parts")
    assert found["explained"] == sum(found["predicted"].values()) == 80
    assert found["explainer"] == "linear"
    assert (found["skipped"], found["incomplete"]) == ([], 0)
    told(*first, "-o", tmp_path / "again.parquet", "--checkpoint", tmp_path / "parts")
    one, other = WordTable.from_parquet(out), WordTable.from_parquet(tmp_path / "again.parquet")
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert found["ranked"]["nurse"] == len(one.top("nurse", 1000))


def test_explain_says_what_is_wrong(world, jobs_csv, tmp_path):
    model, out = world / "model", tmp_path / "t.parquet"
    refused(2, "has no column 'body'", "explain", model, jobs_csv, "--text", "body", "-o", out)
    refused(2, "neither a file nor a folder", "explain", model, tmp_path / "no.csv", "-o", out)
    refused(2, "no class 'cook'", "explain", model, jobs_csv, "--class", "cook", "-o", out)
    (tmp_path / "empty.csv").write_text("text,label\n")
    refused(2, "has no rows", "explain", model, tmp_path / "empty.csv", "-o", out)
    (tmp_path / "odd").mkdir()
    refused(2, "odd holds no classifier", "explain", tmp_path / "odd", jobs_csv, "-o", out)
    assert not out.exists()


def test_identify_names_words_in_a_file_and_counts_on_the_screen(world, jobs_csv, tmp_path):
    result = call(
        "identify", world / "table.parquet", "--top", 12, "-o", tmp_path / "words.json",
        "--override", "bridge=none:no person", "--override", "steel=age:for the test",
    )  # fmt: skip
    assert result.exit_code == 0, result.exception
    words = Protected.load(tmp_path / "words.json")
    assert words["steel"] == "age"
    assert words["her"] == "sex"
    assert {each.word for each in words.overrides} == {"bridge", "steel"}
    assert "words are protected (age 1, sex" in result.stderr
    assert "her" not in result.output.split()


def test_people_decide_over_the_lexicon(world, jobs_csv, tmp_path):
    table, ballot = world / "table.parquet", tmp_path / "ann.csv"
    assert call("identify", table, "--top", 12, "--data", jobs_csv, "--export", ballot).output
    with ballot.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["context 1"] for row in rows)
    for row in rows:
        row["category"] = {"her": "none", "ward": "disability"}.get(row["word"], "")
    with ballot.open("w", encoding="utf-8", newline="") as file:
        filled = csv.DictWriter(file, rows[0])
        filled.writeheader()
        filled.writerows(rows)
    out = tmp_path / "words.json"
    found = told("identify", table, "--top", 12, "--human", ballot, "-o", out)
    words = Protected.load(out)
    assert "her" not in words
    assert words["ward"] == "disability"
    assert words["his"] == "sex"
    assert list(found["kappa"]) == ["people and lexicon"]


def test_identify_says_what_is_wrong(world, tmp_path):
    table, out = world / "table.parquet", tmp_path / "w.json"
    refused(2, "give -o", "identify", table)
    refused(2, "WORD=CATEGORY:REASON", "identify", table, "--override", "her=none", "-o", out)
    refused(
        2, "is no category; did you mean 'sex'", "identify", table,
        "--override", "her=sexx:why", "-o", out,
    )  # fmt: skip
    (tmp_path / "no.parquet").write_text("no")
    refused(2, "is no table of words", "identify", tmp_path / "no.parquet", "-o", out)
    refused(2, "repeats must be odd", "identify", table, "--repeats", 2,
            "--llm", "smollm2-135m-instruct", "-o", out)  # fmt: skip


def test_moderate_edits_a_file_and_keeps_the_other_lines_as_they_are(world, jobs_csv, tmp_path):
    raw = jobs_csv.read_text() + '81,"no person, just a ""bridge""",engineer\r\n'
    data, out = tmp_path / "in.csv", tmp_path / "out.csv"
    data.write_bytes(raw.encode())
    found = told("moderate", data, "--protected", world / "words.json", "-o", out)
    ledger = Ledger.load(tmp_path / "out.ledger.parquet")
    touched = {edit.row for edit in ledger.edits}
    assert found["changed"] == len(touched) > 40
    old, new = data.read_bytes().split(b"\n"), out.read_bytes().split(b"\n")
    same = [row for row in range(81) if row not in touched]
    assert 80 in same
    assert all(old[row + 1] == new[row + 1] for row in same)
    assert not any(old[row + 1] == new[row + 1] for row in touched)
    checked = told("moderate", data, "--replay", tmp_path / "out.ledger.parquet", "-o", out)
    assert checked["replays"] is True
    out.write_bytes(out.read_bytes().replace(b"works", b"worked", 1))
    refused(3, "is not what the ledger makes of", "moderate", data, "--replay",
            tmp_path / "out.ledger.parquet", "-o", out)  # fmt: skip


def test_moderate_per_class(world, jobs_csv, tmp_path):
    (tmp_path / "in.jsonl").write_text(
        '{"text": "her bridge", "label": "engineer", "n": 1}\n'
        '{"n": 2, "text": "her ward", "label": "nurse"}\n'
    )
    found = told(
        "moderate", tmp_path / "in.jsonl", "--protected", world / "words.json", "--per-class",
        world / "table.parquet", "--top", 12, "-o", tmp_path / "out.jsonl",
    )  # fmt: skip
    assert found["changed"] == 1
    assert (tmp_path / "out.jsonl").read_text() == (
        '{"text": "her bridge", "label": "engineer", "n": 1}\n'
        '{"n": 2, "text": "ward", "label": "nurse"}\n'
    )


def test_moderate_says_what_is_wrong(world, jobs_csv, tmp_path):
    words, out = world / "words.json", tmp_path / "out.csv"
    refused(2, "make it with: burnish nlpguard identify", "moderate", jobs_csv, "-o", out)
    refused(2, "keep their format, a file that ends in .csv", "moderate", jobs_csv,
            "--protected", words, "-o", tmp_path / "out.parquet")  # fmt: skip
    refused(2, "has no column 'job'", "moderate", jobs_csv, "--label", "job",
            "--protected", words, "-o", out)  # fmt: skip
    said = refused(1, "document_removal would remove", "moderate", jobs_csv, "--strategy",
                   "document_removal", "--protected", words, "-o", out)  # fmt: skip
    assert "her" not in said.split()
    assert not out.exists()
    found = told("moderate", jobs_csv, "--strategy", "document_removal", "--protected", words,
                 "--allow-loss", "-o", out)  # fmt: skip
    assert found["lost"] == found["rows_before"] - found["rows_after"] > 24


def test_audit_writes_three_files_and_fails_where_a_limit_is_not_kept(world, jobs_csv, tmp_path):
    first = ("audit", world / "model", jobs_csv, "--top", 12, "-o", tmp_path)
    found = told(*first, "--most-pa", 0.9, "--least-accuracy", 0.5)
    assert found["failures"] == []
    assert {path.name for path in tmp_path.iterdir()} == {"audit.json", "audit.md", "audit.html"}
    assert json.loads((tmp_path / "audit.json").read_text())["before"]["performance"]
    result = call(*first, "--most-pa", 0.05, "--json", "--overwrite")
    assert result.exception.exit_code == 3
    assert re.match(r"PA@N is [\d.]+ %, and at most 5 % is wanted; see ", str(result.exception))
    assert json.loads(result.stdout)["pa"] > 0.05
    refused(2, "needs labels", *first, "--unlabelled", "--least-accuracy", 0.5)


def test_audit_against_an_earlier_model(world, jobs_csv, tmp_path):
    told("moderate", jobs_csv, "--protected", world / "words.json", "-o", tmp_path / "new.csv")
    found = told("audit", world / "model", jobs_csv, "--against", world / "model", "--top", 12,
                 "--unlabelled", "--ledger", tmp_path / "new.ledger.parquet",
                 "-o", tmp_path)  # fmt: skip
    assert json.loads((tmp_path / "audit.json").read_text())["edits"]["touched"] > 40
    assert found["pa"] == found["pa_before"]
    assert (
        json.loads((tmp_path / "audit.json").read_text())["relative_reduction"]["all classes"]["pa"]
        == 0
    )


def test_hidden_words_are_hashes(world, jobs_csv, tmp_path):
    found = told("audit", world / "model", jobs_csv, "--top", 12, "--hidden", "-o", tmp_path)
    for kind in ("json", "markdown", "html"):
        text = Path(found[kind]).read_text(encoding="utf-8")
        assert hashed("woman") in text
        assert "woman" not in text


def test_run_does_it_all_and_goes_on(jobs_csv, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"data: {jobs_csv}\nkinds: [linear]\nmitigations: [word_removal]\n"
        "encoder_mitigations: []\nplanted: []\nguard_rounds: 0\ntop: 12\nworkers: 1\n"
    )
    out = tmp_path / "run"
    found = told("run", config, "-o", out)
    assert {claim["id"] for claim in found["claims"]} >= {"up-to-79", "ledger"}
    before = (out / "points.jsonl").read_bytes()
    again = told("run", config, "-o", out)
    assert again["claims"] == found["claims"]
    assert (out / "points.jsonl").read_bytes() == before
    config.write_text("colour: red\n")
    refused(2, "unknown setting 'colour'", "run", config, "-o", tmp_path / "other")


def test_nothing_is_written_over_unasked_and_nothing_that_is_read(world, jobs_csv, tmp_path):
    data, words, table = tmp_path / "in.csv", tmp_path / "words.json", tmp_path / "t.parquet"
    data.write_bytes(jobs_csv.read_bytes())
    words.write_bytes((world / "words.json").read_bytes())
    table.write_bytes((world / "table.parquet").read_bytes())
    (tmp_path / "filled.csv").write_text("days of work")
    (tmp_path / "old.parquet").write_text("evidence")
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "audit.md").write_text("signed")
    moderate = ("moderate", data, "--protected", words)
    calls = [
        ("explain", world / "model", data, "-o", table),
        ("identify", table, "-o", words),
        ("identify", table, "-o", tmp_path / "w.json", "--export", tmp_path / "filled.csv"),
        (*moderate, "-o", tmp_path / "new.csv", "--ledger", tmp_path / "old.parquet"),
        ("audit", world / "model", data, "-o", tmp_path / "audit"),
    ]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for each in calls:
        refused(2, "is there already; add --overwrite, or name another", *each)
    refused(2, "in.csv is read by the same call", *moderate, "--overwrite", "-o", data)
    refused(2, "t.parquet is read by the same call", "identify", table, "--overwrite", "-o", table)
    refused(2, "two files would be written to", "identify", table, "--overwrite",
            "--export", tmp_path / "a.csv", "-o", tmp_path / "a.csv")  # fmt: skip
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before
    for each in calls:
        assert call(*each, "--overwrite").exit_code == 0
    assert "signed" not in (tmp_path / "audit" / "audit.md").read_text()
    refused(2, "audit is a folder that is there already", "moderate", data, "--protected", words,
            "-o", tmp_path / "audit", "--overwrite")  # fmt: skip


def test_a_place_that_cannot_be_written_is_told_before_any_work(world, jobs_csv, tmp_path):
    (tmp_path / "file").write_text("no folder")
    bad = tmp_path / "file" / "below"
    words = world / "words.json"
    for each in (
        ("explain", world / "model", jobs_csv, "-o", bad / "t.parquet"),
        ("identify", world / "table.parquet", "-o", bad / "w.json"),
        ("identify", world / "table.parquet", "--export", bad / "w.csv"),
        ("moderate", jobs_csv, "--protected", words, "-o", bad / "new.csv"),
        ("moderate", jobs_csv, "--protected", words, "-o", tmp_path / "new.csv",
         "--ledger", bad / "l.parquet"),
        ("audit", world / "model", jobs_csv, "-o", bad),
    ):  # fmt: skip
        refused(2, "cannot be written: Not a directory; name another place", *each)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_table_is_parquet_by_its_name(world, jobs_csv, tmp_path):
    refused(2, "a Parquet file, ", "explain", world / "model", jobs_csv, "-o", tmp_path / "t.csv")


def test_limits_see_words_too_short_for_the_lists(tmp_path):
    rows = [{"text": "he mends steel", "label": "engineer"}, {"text": "a ward", "label": "nurse"}]
    pd.DataFrame(rows * 6).to_csv(tmp_path / "in.csv", index=False)
    texts, labels = zip(*((row["text"], row["label"]) for row in rows * 6), strict=True)
    train("linear", texts, labels, ("engineer", "nurse"), 0).save(tmp_path / "model")
    first = ("audit", tmp_path / "model", tmp_path / "in.csv", "-o")
    told(*first, tmp_path / "a", "--most-pa", 0)
    said = json.loads((tmp_path / "a" / "audit.json").read_text())
    assert any("such as those of two letters" in note and "engineer" in note
               for note in said["notes"])  # fmt: skip
    refused(3, "share of the attribution is", *first, tmp_path / "b", "--most-mass", 0.05)
    refused(3, "the flip rate is not known: no text holds a word to swap", *first, tmp_path / "c",
            "--most-flips", 0.5, "--lexicon", _lexicon_without_swaps(tmp_path))  # fmt: skip


def _lexicon_without_swaps(folder):
    path = folder / "lexicon.tsv"
    path.write_text("term\tcategory\nzebra\tsex\n")
    return path


def test_a_model_without_its_tokenizer_is_refused(bert, jobs_csv, tmp_path):
    bert.save_pretrained(tmp_path / "model")
    refused(2, "has no tokenizer", "explain", tmp_path / "model", jobs_csv,
            "-o", tmp_path / "t.parquet")  # fmt: skip


def test_defect_6_names_at_the_command_line_are_those_of_the_library():
    """In the authors' code names of strategies differ between guide and code."""
    found = {
        option.name: set(option.type.choices)
        for verb in nlpguard.commands.values()
        for option in verb.params
        if isinstance(option.type, click.Choice)
    }
    assert found["strategy"] == set(STRATEGIES)
    assert found["explainer"] == set(get_args(ExplainerName))
    assert found["granularity"] == set(get_args(Granularity))


@pytest.mark.parametrize("kept", [True, False])
def test_ctrl_c_says_how_to_go_on_where_anything_is_kept(
    world, jobs_csv, tmp_path, monkeypatch, kept
):
    def stopped(self, texts):
        raise KeyboardInterrupt

    monkeypatch.setattr(LinearClassifier, "probabilities", stopped)
    more = ["--checkpoint", tmp_path / "parts"] if kept else []
    message = "go on with: burnish" if kept else "nothing is kept; with --checkpoint DIRECTORY"
    for verb in ("explain", "audit"):
        refused(130, message, verb, world / "model", jobs_csv, *more,
                "-o", tmp_path / f"{verb}.parquet")  # fmt: skip
