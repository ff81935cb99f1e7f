"""Nested elements in XML: attributes, children, then one line of content; one space a level."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from xml.parsers.expat import ErrorString, ExpatError, ParserCreate

from burnish.errors import StructureError, UsageError
from burnish.methods.structext import strict
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.languages.attributes import draw_attributes
from burnish.methods.structext.languages.faults import XML_FAULTS, syntax_item
from burnish.methods.structext.languages.item import Asking, Item
from burnish.methods.structext.languages.trees import shape_of
from burnish.methods.structext.names import PHRASES, TAGS
from burnish.methods.structext.rules import rules_of
from burnish.methods.structext.sample import Difficulty, Profile
from burnish.methods.structext.shapes import Shape

_ASK: dict[Profile, list[str]] = {
    "official": [rule.ask("official") for rule in rules_of("xml")],
    "corrected": [rule.ask("corrected") for rule in rules_of("xml")],
}
_HEADER = '<?xml version="1.0" encoding="UTF-8"?>'
_TAG_STARTS = 26 * 27


class _Frame(NamedTuple):
    """The parts of a document that do not depend on its attributes, one a node.

    Attributes:
        tags: its name.
        opening: from the line break before the start tag to the name in it.
        content: the line of content.
        end_tag: the line of the end tag.
        ended: both.
        closing: all that stands between a node's attributes and the next node's start tag.
    """

    tags: list[str]
    opening: list[str]
    content: list[str]
    end_tag: list[str]
    ended: list[str]
    closing: list[str]


@lru_cache(maxsize=32)
def _frame(shape: Shape, first_tag: int, first_phrase: int) -> _Frame:
    tags = TAGS.take(first_tag, len(shape))
    phrases = PHRASES.take(first_phrase, len(shape))
    indents = ["\n" + " " * level for level in shape.levels]
    content = [f"{indent} {phrase}" for indent, phrase in zip(indents, phrases, strict=True)]
    end_tag = [f"{indent}</{tag}>" for indent, tag in zip(indents, tags, strict=True)]
    ended = [line + end for line, end in zip(content, end_tag, strict=True)]
    return _Frame(
        tags=tags,
        opening=[f"{indent}<{tag}" for indent, tag in zip(indents, tags, strict=True)],
        content=content,
        end_tag=end_tag,
        ended=ended,
        closing=[">" + "".join([ended[at] for at in closed]) for closed in shape.closed_after],
    )


def draw(draws: Draws, size: Difficulty, profile: Profile) -> list[Item]:
    """One document and its three questions."""
    shape = shape_of(draws, size, profile)
    if profile == "official":
        frame = _frame(shape, 0, 0)
    else:  # names that start anywhere, so that no constant answer is often right
        frame = _frame(shape, draws.below(_TAG_STARTS), draws.below(26))
    held = draw_attributes(draws, size, len(shape), (), profile)
    pairs = [f' {key}="{value}"' for key, value in zip(held.keys, held.values, strict=True)]
    heads = []
    start = 0
    for opening, stop in zip(frame.opening, held.bounds[1:], strict=True):
        heads.append(opening + "".join(pairs[start:stop]))
        start = stop
    text = _HEADER + "".join([a + b for a, b in zip(heads, frame.closing, strict=True)])
    content, holder, syntax = _ASK[profile]
    target, pair = draws.below(len(shape)), draws.below(len(pairs))
    if profile == "official":
        syntax_question = _without_end_tags(draws, shape, frame, heads, text, syntax)
    else:
        syntax_question = syntax_item(draws, text, syntax, "xml", XML_FAULTS)
    inner = _inner(text, frame.opening[target], frame.end_tag[target])
    level = shape.levels[target] + (profile == "corrected")
    return [
        (text, content % frame.tags[target], inner.replace("\n" + " " * level, "\n").strip()),
        (text, holder % held.values[pair], frame.tags[held.owner(pair)]),
        syntax_question,
    ]


def _inner(text: str, opening: str, end_tag: str) -> str:
    """Everything between an element's start and end lines, with the line break before it."""
    start = text.index(">\n", text.index(opening + " ")) + 1
    return text[start : text.index(end_tag, start)]


def _without_end_tags(
    draws: Draws, shape: Shape, frame: _Frame, heads: list[str], text: str, ask: str
) -> Item:
    """Every element loses its end tag with probability 0.8, independently."""
    lost = draws.many(5, len(heads))
    if not any(lost):
        return (text, ask, "False")
    parts = [_HEADER]
    for head, closed in zip(heads, shape.closed_after, strict=True):
        parts += (head, ">")
        parts += [frame.content[at] if lost[at] else frame.ended[at] for at in closed]
    return ("".join(parts), ask, "True")


class _Element(NamedTuple):
    tag: str
    level: int
    first: int
    last: int
    attributes: dict[str, str]


def _read(text: str) -> list[_Element]:
    """All elements, in the order of their end tags; lines count from 1."""
    parser = ParserCreate()
    trail: list[tuple[str, int, dict[str, str]]] = []
    elements: list[_Element] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        trail.append((tag, parser.CurrentLineNumber, attributes))

    def end(tag: str) -> None:
        _, first, attributes = trail.pop()
        elements.append(_Element(tag, len(trail), first, parser.CurrentLineNumber, attributes))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(text, True)
    except ExpatError as error:
        raise StructureError(ErrorString(error.code), line=error.lineno) from None
    return elements


def content(text: str, asked: Asking) -> str:
    """xml.1: the lines strictly between the start and the end tag.

    As released they are re-based to the element's own level and then stripped, so that only the
    first line loses its last space of indentation; the corrected wording asks for none.
    """
    tag = asked.variables["tag"]
    found = [element for element in _read(text) if element.tag == tag]
    if not found:
        raise UsageError(f"the text has no tag {tag!r}; ask for one that it has")
    element = found[0]
    margin = element.level + (asked.wording == "corrected")
    lines = text.split("\n")[element.first : element.last - 1]
    for number, line in enumerate(lines, element.first + 1):
        if len(line) - len(line.lstrip(" ")) <= element.level:
            raise StructureError(
                f"the content of {tag} must be indented deeper than the tag", line=number
            )
    return "\n".join([line[margin:] for line in lines]).strip()


def holder(text: str, asked: Asking) -> str:
    """xml.2: the element with an attribute of that value."""
    value = asked.variables["value"]
    for element in sorted(_read(text), key=lambda element: element.first):
        if value in element.attributes.values():
            return element.tag
    raise UsageError(f"the text has no attribute of value {value!r}; ask for one that it has")


def is_faulty(text: str, asked: Asking) -> str:
    """xml.3: whether a strict parser refuses the text."""
    del asked
    return str(strict.flaw(text, "xml") is not None)


SOLVERS = {"xml.1": content, "xml.2": holder, "xml.3": is_faulty}
