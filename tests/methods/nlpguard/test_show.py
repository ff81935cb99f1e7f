from __future__ import annotations

import json

import pytest

from burnish.runs import write_report


@pytest.fixture(scope="module")
def figures(finished):
    found = [json.loads(path.read_text()) for path in finished.folder.rglob("figures/*.json")]
    return {shown["title"]: shown for each in found for shown in each.values()}


def test_charts_and_tables_are_declared(figures):
    assert {
        "Reliance of the linear model against accuracy",
        "Protected words that drive the linear model",
        "Answers of the linear model that flip",
        "Repairs of the linear model",
        "Words that drive the linear model",
        "Words that drive the linear model, after word removal",
        "Ledger of word removal: its first edits",
        "PA@N of shorter lists",
        "Checks of the method itself",
    } <= set(figures)
    assert "Repairs of the encoder" not in figures


def test_a_row_a_repair_with_its_ratio(figures):
    table = json.dumps(figures["Repairs of the linear model"])
    for name in ("none", "word removal", "word variants kept", "unawareness"):
        assert f'"{name}"' in table
    assert "R per point lost" in table
    assert "too few rows" in json.dumps(figures["Checks of the method itself"])


def test_words_carry_their_category(figures):
    assert "[sex]" in json.dumps(figures["Words that drive the linear model"])
    drawn = figures["Words that drive the linear model, as it was"]["series"]
    dots = figures["Reliance of the linear model against accuracy"]["series"]
    assert "word removal" in {series["name"] for series in dots}
    assert {series["name"] for series in drawn} == {"not protected", "sex"}
    (coloured,) = (series for series in drawn if series["name"] == "sex")
    known = {
        x.split(" ")[0] for x, y in zip(coloured["x"], coloured["y"], strict=True) if y is not None
    }
    assert known
    assert known <= {"she", "he", "her", "his", "woman", "man", "mother", "father"}


def test_the_page_is_made_from_the_run_alone(finished, tmp_path):
    page = write_report([finished.folder], tmp_path / "report.html").read_text()
    assert "Reliance of the linear model against accuracy" in page
    assert "Repairs of the linear model" in page
