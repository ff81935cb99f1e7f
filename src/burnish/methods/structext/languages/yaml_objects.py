"""Nested objects in YAML: block mappings and lists, two spaces of indentation a level."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from burnish.errors import StructureError
from burnish.methods.structext import strict
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.languages.attributes import draw_attributes
from burnish.methods.structext.languages.faults import YAML_FAULTS, syntax_item
from burnish.methods.structext.languages.item import Asking, Item
from burnish.methods.structext.languages.objects import Object, Objects
from burnish.methods.structext.languages.trees import ids_of, shape_of
from burnish.methods.structext.names import LETTERS
from burnish.methods.structext.rules import rules_of
from burnish.methods.structext.sample import Difficulty, Profile
from burnish.methods.structext.shapes import Shape

_ASK: dict[Profile, list[str]] = {
    "official": [rule.ask("official") for rule in rules_of("yaml")],
    "corrected": [rule.ask("corrected") for rule in rules_of("yaml")],
}


class _Frame(NamedTuple):
    """The parts of a document that depend on its shape alone, one a node."""

    opening: list[str]
    separator: list[str]
    closing: list[str]


@lru_cache(maxsize=32)
def _frame(shape: Shape) -> _Frame:
    separator = ["\n" + "  " * level for level in shape.levels]
    return _Frame(
        opening=[
            "\n" + "  " * (level - 1) + '- id: "' if level else '\nid: "' for level in shape.levels
        ],
        separator=separator,
        closing=[
            indent + ("subs: []" if stop == node + 1 else "subs: ")
            for node, (indent, stop) in enumerate(zip(separator, shape.stops, strict=True))
        ],
    )


def draw(draws: Draws, size: Difficulty, profile: Profile) -> list[Item]:
    """One document and its five questions."""
    shape = shape_of(draws, size, profile)
    ids = ids_of(draws, len(shape), profile)
    held = draw_attributes(draws, size, len(ids), ids, profile)
    end = "," if profile == "official" else ""  # D12: the comma is part of the value
    pairs = [f"{key}: {value}{end}" for key, value in zip(held.keys, held.values, strict=True)]
    blocks = _blocks(_frame(shape), ids, held.bounds, pairs)
    text = "".join(blocks)[1:]
    excerpt, path, syntax, access, deepest = _ASK[profile]
    target, pair = draws.below(len(ids)), draws.below(len(pairs))
    if profile == "official":
        syntax_question = _with_bare_colons(draws, shape, blocks, text, syntax)
    else:
        syntax_question = syntax_item(draws, text, syntax, "yaml", YAML_FAULTS)
    owner = held.owner(pair)
    subtree = "".join(blocks[target : shape.stops[target]])
    leaves = [_rebase(blocks[node], shape.height) for node in shape.deepest]
    return [
        (text, excerpt % ids[target], _rebase(subtree, shape.levels[target])),
        (text, path, ids[1]),
        syntax_question,
        (text, access % held.values[pair], f'{shape.access_paths[owner]}["{held.keys[pair]}"]'),
        (text, deepest, "\n\n".join(leaves)),
    ]


def _blocks(frame: _Frame, ids: list[str], bounds: list[int], pairs: list[str]) -> list[str]:
    blocks = []
    start = 0
    for opening, name, separator, stop, closing in zip(
        frame.opening, ids, frame.separator, bounds[1:], frame.closing, strict=True
    ):
        blocks.append(f'{opening}{name}"{separator}{separator.join(pairs[start:stop])}{closing}')
        start = stop
    return blocks


def _rebase(block: str, level: int) -> str:
    """The block as a document of its own: its dash and its indentation go."""
    return block[2 * level + 1 :].replace("\n" + "  " * level, "\n")


def _with_bare_colons(draws: Draws, shape: Shape, blocks: list[str], text: str, ask: str) -> Item:
    """After every object, with probability 0.8, a line of a colon and a letter name."""
    struck = draws.many(5, len(blocks))
    start = draws.below(26)
    if not any(struck):
        return (text, ask, "False")
    separator = _frame(shape).separator
    letters = iter(LETTERS.take(start, len(blocks)))
    lines = []
    for block, closed in zip(blocks, shape.closed_after, strict=True):
        lines.append(block)
        lines += [f"{separator[node]}:{next(letters)}" for node in closed if struck[node]]
    return ("".join(lines)[1:], ask, "True")


_ID = re.compile(r'id: "([^"\\]*)"')
_PAIR = re.compile(r"(?!subs:)([^\s:\"'\[\]{}#&*!|>%@`]+): ([^\s:\"'\[\]{}#&*!|>%@`]+)")


class _Reader:
    """Reads the layout the documents are written in, and nothing else."""

    def __init__(self, text: str) -> None:
        self._lines = text.rstrip("\n").split("\n")
        self._at = 0
        self._objects: list[Object] = []

    def read(self) -> Objects:
        """All objects in document order."""
        trail = [self._open("obj", 0)]
        while trail:
            current = trail[-1]
            if self._has_another_child(current):
                trail.append(self._open(current.child_path(), current.level + 1))
                continue
            current.stop = self._at
            trail.pop()
            if trail:
                trail[-1].children += 1
        if self._at < len(self._lines):
            raise self._wrong("the end, or an object of an open list")
        return Objects(self._lines, self._objects)

    def _open(self, path: str, level: int) -> Object:
        first = self._at
        name = _ID.fullmatch(self._line(_dash(level)))
        if name is None:
            raise self._wrong(f'{_dash(level)}id: "…"')
        self._at += 1
        opened = Object(name[1], level, path, first)
        while pair := _PAIR.fullmatch(self._line("  " * level)):
            opened.attributes.append((pair[1], pair[2].removesuffix(",")))
            self._at += 1
        self._objects.append(opened)
        return opened

    def _has_another_child(self, current: Object) -> bool:
        if current.children:
            return self._line(_dash(current.level + 1)) != ""
        line = self._line("  " * current.level)
        if line not in ("subs: ", "subs:", "subs: []"):
            raise self._wrong("an attribute, subs: or subs: []")
        self._at += 1
        return line != "subs: []"

    def _line(self, start: str) -> str:
        """The current line after `start`, or "" where it starts otherwise."""
        if self._at == len(self._lines):
            return ""
        line = self._lines[self._at]
        return line[len(start) :] if line.startswith(start) else ""

    def _wrong(self, wanted: str) -> StructureError:
        came = repr(self._lines[self._at]) if self._at < len(self._lines) else "the end"
        return StructureError(f"wanted {wanted}, got {came}", line=self._at + 1)


def _dash(level: int) -> str:
    return "  " * (level - 1) + "- " if level else ""


def _rebased(read: Objects, one: Object) -> str:
    return "\n".join([line[2 * one.level :] for line in read.lines[one.first : one.stop]])


def excerpt(text: str, asked: Asking) -> str:
    """yaml.1: the object's lines as a document of their own."""
    read = _Reader(text).read()
    return _rebased(read, read.with_id(asked.variables["id"]))


def first_child(text: str, asked: Asking) -> str:
    """yaml.2: id of the root's first child."""
    del asked
    return _Reader(text).read().first_child()


def is_faulty(text: str, asked: Asking) -> str:
    """yaml.3: whether a strict parser refuses the text."""
    del asked
    return str(strict.flaw(text, "yaml") is not None)


def access_path(text: str, asked: Asking) -> str:
    """yaml.4: how to reach the value."""
    return _Reader(text).read().access_path(asked.variables["value"])


def deepest(text: str, asked: Asking) -> str:
    """yaml.5: the objects at the greatest level."""
    del asked
    read = _Reader(text).read()
    return "\n\n".join([_rebased(read, one) for one in read.deepest()])


SOLVERS = {
    "yaml.1": excerpt,
    "yaml.2": first_child,
    "yaml.3": is_faulty,
    "yaml.4": access_path,
    "yaml.5": deepest,
}
