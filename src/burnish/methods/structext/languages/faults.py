"""Faults put into well-formed documents for the Syntax questions of the corrected profile."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from burnish.methods.structext import strict
from burnish.methods.structext.draws import Draws


class Fault(NamedTuple):
    """A way to break a document: one match of `pattern`, chosen at random, is replaced."""

    name: str
    pattern: re.Pattern[str]
    replacement: str


JSON_FAULTS = (
    Fault("missing closer", re.compile(r"\n *[}\]](,?)(?=\n|\Z)"), r"\1"),
    Fault("extra closer", re.compile(r"\n *[}\]]"), r"\g<0>\g<0>"),
    Fault("wrong closer", re.compile(r"(\n *)\}"), r"\1]"),
    Fault("doubled comma", re.compile(r",(?=\n)"), r",,"),
    Fault("unclosed quote", re.compile(r'"(?=,\n)'), r""),
)
XML_FAULTS = (
    Fault("missing end tag", re.compile(r"\n *</\w+>"), r""),
    Fault("extra end tag", re.compile(r"\n *</\w+>"), r"\g<0>\g<0>"),
    Fault("wrong end tag", re.compile(r"</(\w+)>"), r"</\1\1>"),
    Fault("unclosed quote", re.compile(r'">'), r">"),
)
YAML_FAULTS = (
    Fault("missing key", re.compile(r"(\n *)[A-Z]+: "), r"\1:"),
    Fault("missing colon", re.compile(r"(\n *[A-Z]+): "), r"\1 "),
    Fault("bad indent", re.compile(r"\n(?= *[A-Z]+: )"), r"\n "),
    Fault("extra closer", re.compile(r"\[\]"), r"[]]"),
    Fault("unclosed quote", re.compile(r'(?<=\w)"(?=\n)'), r""),
)
_MOST_FAULTS = 3


def syntax_item(
    draws: Draws, text: str, question: str, language: str, faults: Sequence[Fault]
) -> tuple[str, str, str]:
    """A Syntax question whose document has one to three faults with probability one half.

    The label is what a strict parser says, so faults that undo each other are drawn again.
    """
    if draws.below(2):
        return (text, question, "False")
    while True:
        broken = text
        for _ in range(draws.between(1, _MOST_FAULTS)):
            broken = _apply(draws, broken, draws.pick(faults))
        if strict.flaw(broken, language):
            return (broken, question, "True")


def _apply(draws: Draws, text: str, fault: Fault) -> str:
    places = list(fault.pattern.finditer(text))
    if not places:
        return text
    place = draws.pick(places)
    return text[: place.start()] + place.expand(fault.replacement) + text[place.end() :]
