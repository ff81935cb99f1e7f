"""Nested objects in JSON: one token group a line, one space of indentation a level."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from burnish.errors import StructureError
from burnish.methods.structext import strict
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.languages.attributes import Attributes, draw_attributes
from burnish.methods.structext.languages.faults import JSON_FAULTS, syntax_item
from burnish.methods.structext.languages.item import Asking, Item
from burnish.methods.structext.languages.objects import Object, Objects
from burnish.methods.structext.languages.trees import ids_of, shape_of
from burnish.methods.structext.rules import rules_of
from burnish.methods.structext.sample import Difficulty, Profile
from burnish.methods.structext.shapes import Shape

_ASK: dict[Profile, list[str]] = {
    "official": [rule.ask("official") for rule in rules_of("json")],
    "corrected": [rule.ask("corrected") for rule in rules_of("json")],
}


class _Frame(NamedTuple):
    """The parts of a document that depend on its shape alone, one a node.

    Attributes:
        opening: from the line break before the brace to the quote before the id.
        separator: between the lines of the object.
        subs: the line that opens the list, and closes it in a leaf.
        bracket: the line that closes the list, in other nodes.
        ended: that line and the brace.
        closing: all that stands between a node's attributes and the next node's brace.
    """

    opening: list[str]
    separator: list[str]
    subs: list[str]
    bracket: list[str]
    ended: list[str]
    closing: list[str]


@lru_cache(maxsize=32)
def _frame(shape: Shape) -> _Frame:
    separator = ["\n" + " " * level for level in shape.levels]
    leaf = [stop == node + 1 for node, stop in enumerate(shape.stops)]
    subs = [
        f'{indent}"subs":[' + "]" * is_leaf for indent, is_leaf in zip(separator, leaf, strict=True)
    ]
    bracket = [
        "" if is_leaf else f"{indent}]" for indent, is_leaf in zip(separator, leaf, strict=True)
    ]
    ended = [f"{before}{indent}}}" for before, indent in zip(bracket, separator, strict=True)]
    closing = [
        subs[node] + "".join([ended[at] for at in closed]) + "," * bool(closed)
        for node, closed in enumerate(shape.closed_after)
    ]
    closing[-1] = closing[-1].removesuffix(",")
    return _Frame(
        opening=[f'{indent}{{{indent}"id":"' for indent in separator],
        separator=separator,
        subs=subs,
        bracket=bracket,
        ended=ended,
        closing=closing,
    )


def draw(draws: Draws, size: Difficulty, profile: Profile) -> list[Item]:
    """One document and its five questions."""
    shape = shape_of(draws, size, profile)
    ids = ids_of(draws, len(shape), profile)
    held = draw_attributes(draws, size, len(ids), ids, profile)
    frame = _frame(shape)
    pairs = [f'"{key}":"{value}",' for key, value in zip(held.keys, held.values, strict=True)]
    heads = _heads(frame, ids, held, pairs)
    text = "".join([head + tail for head, tail in zip(heads, frame.closing, strict=True)])[1:]
    excerpt, path, syntax, access, deepest = _ASK[profile]
    target, pair = draws.below(len(ids)), draws.below(len(pairs))
    if profile == "official":
        syntax_question = _without_braces(draws, shape, heads, text, syntax)
    else:
        syntax_question = syntax_item(draws, text, syntax, "json", JSON_FAULTS)
    owner = held.owner(pair)
    return [
        (text, excerpt % ids[target], _excerpt(text, ids[target], shape.levels[target])),
        (text, path, ids[1]),
        syntax_question,
        (text, access % held.values[pair], f'{shape.access_paths[owner]}["{held.keys[pair]}"]'),
        (text, deepest, _deepest(shape, ids, held, pairs)),
    ]


def _heads(frame: _Frame, ids: list[str], held: Attributes, pairs: list[str]) -> list[str]:
    heads = []
    start = 0
    for opening, name, separator, stop in zip(
        frame.opening, ids, frame.separator, held.bounds[1:], strict=True
    ):
        heads.append(f'{opening}{name}",{separator}{separator.join(pairs[start:stop])}')
        start = stop
    return heads


def _excerpt(text: str, name: str, level: int) -> str:
    first = text.index(f'"id":"{name}"') - level - len("{\n")
    closer = "\n" + " " * level + "}"
    stop = text.index(closer, first) + len(closer)
    return text[first:stop].replace("\n" + " " * level, "\n")


def _deepest(shape: Shape, ids: list[str], held: Attributes, pairs: list[str]) -> str:
    bounds = held.bounds
    inner = ["\n".join(pairs[bounds[node] : bounds[node + 1]]) for node in shape.deepest]
    return "\n\n".join(
        [
            f'{{\n"id":"{ids[node]}",\n{lines}\n"subs":[]\n}}'
            for node, lines in zip(shape.deepest, inner, strict=True)
        ]
    )


def _without_braces(draws: Draws, shape: Shape, heads: list[str], text: str, ask: str) -> Item:
    """Every object loses its closing brace with probability 0.8, independently."""
    frame = _frame(shape)
    lost = draws.many(5, len(heads))
    if not any(lost):
        return (text, ask, "False")
    parts: list[str] = []
    for head, subs, closed in zip(heads, frame.subs, shape.closed_after, strict=True):
        parts += (head, subs)
        if closed:
            parts += [frame.bracket[at] if lost[at] else frame.ended[at] for at in closed]
            parts.append(",")
    parts.pop()
    return ("".join(parts)[1:], ask, "True")


_ID = re.compile(r'"id":"([^"\\]*)",')
_PAIR = re.compile(r'"([^"\\]*)":"([^"\\]*)",')


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
            if not self._take("},", current.level) or len(trail) == 1:
                self._want("}", current.level)
            current.stop = self._at
            trail.pop()
            if trail:
                trail[-1].children += 1
        if self._at < len(self._lines):
            raise self._wrong("the end")
        return Objects(self._lines, self._objects)

    def _open(self, path: str, level: int) -> Object:
        first = self._at
        self._want("{", level)
        name = _ID.fullmatch(self._line(level))
        if name is None:
            raise self._wrong('"id":"…",')
        self._at += 1
        opened = Object(name[1], level, path, first)
        while pair := _PAIR.fullmatch(self._line(level)):
            opened.attributes.append((pair[1], pair[2]))
            self._at += 1
        self._objects.append(opened)
        return opened

    def _has_another_child(self, current: Object) -> bool:
        if not current.children:
            if self._take('"subs":[]', current.level):
                return False
            self._want('"subs":[', current.level)
            return True
        if self._lines[self._at - 1].endswith(","):
            return True
        self._want("]", current.level)
        return False

    def _take(self, wanted: str, level: int) -> bool:
        taken = self._line(level) == wanted
        self._at += taken
        return taken

    def _want(self, wanted: str, level: int) -> None:
        if not self._take(wanted, level):
            raise self._wrong(wanted)

    def _line(self, level: int) -> str:
        """The current line without its indentation, or "" where that is another one."""
        if self._at == len(self._lines):
            return ""
        line = self._lines[self._at]
        return line[level:] if len(line) - len(line.lstrip(" ")) == level else ""

    def _wrong(self, wanted: str) -> StructureError:
        came = repr(self._lines[self._at]) if self._at < len(self._lines) else "the end"
        return StructureError(f"wanted {wanted}, got {came}", line=self._at + 1)


def _rebased(read: Objects, one: Object) -> str:
    lines = [line[one.level :] for line in read.lines[one.first : one.stop]]
    return "\n".join(lines).removesuffix(",")


def excerpt(text: str, asked: Asking) -> str:
    """json.1: the object's lines, its brace at column 0."""
    read = _Reader(text).read()
    return _rebased(read, read.with_id(asked.variables["id"]))


def first_child(text: str, asked: Asking) -> str:
    """json.2: id of the root's first child."""
    del asked
    return _Reader(text).read().first_child()


def is_faulty(text: str, asked: Asking) -> str:
    """json.3: whether a strict parser refuses the text."""
    del asked
    return str(strict.flaw(text, "json") is not None)


def access_path(text: str, asked: Asking) -> str:
    """json.4: how to reach the value."""
    return _Reader(text).read().access_path(asked.variables["value"])


def deepest(text: str, asked: Asking) -> str:
    """json.5: the objects at the greatest level."""
    del asked
    read = _Reader(text).read()
    return "\n\n".join(_rebased(read, one) for one in read.deepest())


SOLVERS = {
    "json.1": excerpt,
    "json.2": first_child,
    "json.3": is_faulty,
    "json.4": access_path,
    "json.5": deepest,
}
