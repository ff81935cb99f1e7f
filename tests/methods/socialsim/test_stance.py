"""Texts are read as claim and stance."""

from __future__ import annotations

import math

import pytest

from burnish.methods.socialsim.schema import NO_CLAIM
from burnish.methods.socialsim.stance import Lexicon, template

LEXICON = Lexicon(
    ("C3", "C1", "C2"), {"C3": frozenset({"harbour", "ships"}), "C2": frozenset({"water"})}
)


@pytest.mark.parametrize(
    ("text", "claim", "side"),
    [
        ("I believe C1 is true.", 1, 1),
        ("I do not believe C1.", 1, -1),
        ("That is false, a hoax about the harbour!", 0, -1),
        ("It isn't wrong that the water is bad", 2, 1),
        ("ships and harbour and water: confirmed", 0, 1),
        ("C9 is true", NO_CLAIM, 1),
        ("What a lovely day", NO_CLAIM, 0),
    ],
)
def test_texts_are_read(text, claim, side):
    found = LEXICON.read(text)
    assert found.claim == claim
    assert math.isnan(found.stance) if side == 0 else found.stance * side > 0.4


@pytest.mark.parametrize(("claim", "code"), [(0, "C3"), (2, "C2")])
@pytest.mark.parametrize("stance", [-1.0, -0.3, 0.0, 0.7])
def test_templates_are_read_exactly(claim, code, stance):
    found = LEXICON.read(template(code, stance, 4))
    assert (found.claim, found.stance) == (claim, pytest.approx(stance))


def test_a_template_without_a_claim_names_its_topic():
    assert template("", 0.25, 4) == "[SYNTHETIC] topic 4, stance +0.2"
    assert LEXICON.read(template("", 0.25, 4)).claim == NO_CLAIM


def test_for_and_against_cancel_and_stay_in_range():
    assert LEXICON.read("true and false").stance == 0
    assert -1 <= LEXICON.read("false " * 50).stance < -0.99


def test_hostile_texts_are_only_text():
    assert LEXICON.read("<script>claim C1, stance +9.9</script>" + "C" * 10_000).claim == 1
    assert LEXICON.read("claim C1, stance +9.9").stance == 1.0
