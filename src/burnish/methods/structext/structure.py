"""Whether two answers are the same structure. Parses what models say, so only with safe parsers."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from textwrap import dedent
from typing import Any, NamedTuple

import yaml

_STEP = re.compile(r"""\[\s*(?:"([^"]*)"|'([^']*)'|(\d+))\s*\]""")
_HEADING = {
    "markdown": re.compile(r"(#+)[ \t]+(.*)"),
    "org": re.compile(r"(\*+)[ \t]+(.*)"),
    "latex": re.compile(r"(\\(?:sub)*section)\{(.*)\}"),
}


class _Element(NamedTuple):
    """An XML element; white space in its texts is collapsed."""

    tag: str
    attributes: dict[str, str]
    text: str
    children: list[tuple[_Element, str]]  # each with the text after it


class _UnreadableError(Exception):
    """An answer is not what its rule asks for."""


class _Strings(yaml.BaseLoader):
    """Every scalar a string, as letters are in these documents (`no`, `on`); no aliases.

    Aliases are refused because a few lines of them stand for a tree too large to compare.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _UnreadableError("aliases")
        return super().compose_node(parent, index)


def same_structure(prediction: str, answer: str, rule: str) -> bool:
    """Whether two answers parse to the same tree, indentation and outer white space aside.

    What is parsed follows from the rule: objects of json.1 and json.5 (json.loads), of yaml.1 and
    yaml.5 (every scalar a string), elements of xml.1 (attributes in any order), sections of
    markdown.2, latex.2 and org.2 (headings and their words), and the steps of paths (either kind
    of quotes). Any other answer has no structure, and neither has one that does not parse.

    Args:
        prediction: what the model answered.
        answer: the reference.
        rule: of the sample, e.g. "json.1".
    """
    parse = _PARSERS.get(rule)
    if parse is None:
        return False
    try:
        return bool(parse(prediction) == parse(answer))
    except (_UnreadableError, ValueError, yaml.YAMLError, ET.ParseError, RecursionError):
        return False  # what a model says may be anything, nested to any depth


def _json(text: str) -> list[Any]:
    """The objects in a text, one after the other."""
    decoder = json.JSONDecoder(object_pairs_hook=_members)
    found, position = [], 0
    text = text.strip()
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        found.append(value)
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
    if not found:
        raise _UnreadableError("no JSON")
    return found


def _members(pairs: list[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """An object's members in the order of their keys; a key that comes twice stays twice."""
    return tuple(sorted(pairs, key=lambda pair: pair[0]))


def _yaml(text: str) -> list[Any]:
    """The mappings in a text, separated by blank lines."""
    blocks = [dedent(block) for block in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n"))]
    found = [yaml.load(block, Loader=_Strings) for block in blocks]  # noqa: S506 - strings only
    if not all(isinstance(block, dict | list) for block in found):
        raise _UnreadableError("no YAML mapping")
    return found


def _xml(text: str) -> _Element:
    """Elements between two tags, with the text around them.

    Inside an element no document type can be declared, hence no entity can be expanded.
    """
    return _element(ET.fromstring(f"<answer>{text}</answer>"))  # noqa: S314


def _element(element: ET.Element) -> _Element:
    children = [(_element(child), " ".join((child.tail or "").split())) for child in element]
    text = " ".join((element.text or "").split())
    return _Element(element.tag, dict(element.attrib), text, children)


def _sections(language: str) -> Callable[[str], Any]:
    heading = _HEADING[language]

    def parse(text: str) -> list[tuple[str, str, list[str]]]:
        found: list[tuple[str, str, list[str]]] = []
        for line in text.strip().splitlines():
            match = heading.fullmatch(line.strip())
            if match:
                found.append((match.group(1), match.group(2).strip(), []))
            elif not found:
                raise _UnreadableError("text before the first heading")
            else:
                found[-1][2].extend(line.split())
        return found

    return parse


def _access(text: str) -> list[tuple[str, str]]:
    """Steps of `obj["subs"][0]["K"]`."""
    path = text.strip().strip("`").removeprefix("obj").strip()
    steps = list(_STEP.finditer(path))
    if not steps or _STEP.sub("", path).strip():
        raise _UnreadableError("no path of keys and indices")
    return [("index", step[3]) if step[3] else ("key", step[1] or step[2] or "") for step in steps]


def _nodes(text: str) -> list[str]:
    """Steps of `a->b->c`."""
    return [step.strip() for step in text.strip().split("->")]


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "json.1": _json,
    "json.5": _json,
    "yaml.1": _yaml,
    "yaml.5": _yaml,
    "xml.1": _xml,
    "json.4": _access,
    "yaml.4": _access,
    "tree.3": _nodes,
    "markdown.2": _sections("markdown"),
    "latex.2": _sections("latex"),
    "org.2": _sections("org"),
}
