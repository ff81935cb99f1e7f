"""No text of a scenario names the real world, and fiction passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from burnish.errors import ConfigError, DataError
from burnish.methods.socialsim.name_gate import NameGate, RealName

NAMES = Path(__file__).parent / "names"
RED = (NAMES / "red_list.txt").read_text(encoding="utf-8").splitlines()
FICTIONAL = (NAMES / "fictional.txt").read_text(encoding="utf-8").splitlines()
GATE = NameGate.default()


def test_every_item_of_the_red_list_is_refused():
    assert len(RED) >= 300
    assert [text for text in RED if GATE.find(text) is None] == []


def test_at_most_two_percent_of_fictional_names_are_refused():
    assert len(FICTIONAL) == len(set(FICTIONAL)) == 300
    refused = [text for text in FICTIONAL if GATE.find(text) is not None]
    assert len(refused) <= 6, refused


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ask @someone", "handle"),
        ("see https://a.example", "address"),
        ("see harbour.com today", "address"),
        ("write to a.b@c.example", "e-mail"),
        ("call (555) 010-0199", "phone number"),
        ("in F r a n c e", "name"),
    ],
)
def test_says_what_it_found(text, kind):
    assert GATE.find(text).kind == kind


@pytest.mark.parametrize("text", ["18:30 to 19:45", "2031-04-02", "1,200,000 florins", "claim C3"])
def test_times_dates_and_amounts_are_no_phone_numbers(text):
    assert GATE.find(text) is None


def test_words_with_other_uses_are_refused_in_their_spelling_as_names_only():
    assert GATE.find("a turkey was roasted") is None
    assert GATE.find("the border with Turkey") is not None
    assert GATE.find("TURKEY") is not None


def test_an_extended_gate_refuses_more_and_nothing_less():
    assert GATE.find("the Quayside Seven") is None
    extended = GATE.extended(["Quayside Seven", "=Plaza"])
    assert extended.find("the quayside seven").text == "quayside seven"
    assert extended.find("Plaza") is not None
    assert extended.find("on the plaza") is None
    assert extended.find("Russia") is not None
    assert GATE.find("the Quayside Seven") is None


def test_an_entry_without_letters_is_refused():
    with pytest.raises(ConfigError, match=r"takes names with letters, got '--'"):
        GATE.extended(["--"])


def test_names_the_place_of_what_it_refuses():
    with pytest.raises(
        RealName, match=r"^mine: claims\[0\].about: 'Russia' looks like a real name"
    ):
        GATE.check([("name", "Tarn"), ("claims[0].about", "Russia did it")], "mine")


def test_a_text_too_long_to_search_is_refused():
    with pytest.raises(ConfigError, match="at most 1,000 characters, got 5,000"):
        GATE.check([("name", "a" * 5000)], "mine")


def test_a_file_of_names_refuses_more(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("# ours\n\n  Quayside Seven\n=Plaza\n", encoding="utf-8")
    gate = NameGate.default(extra=path)
    assert gate.find("the quayside seven") is not None
    assert gate.find("on the plaza") is None
    assert gate.find("ours") is None
    assert gate.find("Russia") is not None


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, DataError, r"mine\.txt: No such file or directory; give a file with a name a line"),
        (b"\xff\xfe", DataError, r"mine\.txt: not UTF-8 text"),
        (b"a\n" * 500_001, DataError, "at most 1,000,000 bytes"),
        (b"--", ConfigError, "takes names with letters, got '--'"),
    ],
)
def test_what_is_no_list_of_names_is_refused(tmp_path, content, error, message):
    path = tmp_path / "mine.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=message):
        NameGate.default(extra=path)
