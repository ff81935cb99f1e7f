"""Whether a document is well formed, by strict parsers of the standard library.

YAML has none there, so the block mappings and sequences these documents are made of are checked
here; a document that uses more of YAML is refused rather than guessed at.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple, NoReturn
from xml.parsers.expat import ErrorString, ExpatError, ParserCreate

from burnish.errors import StructureError, UsageError


def flaw(text: str, language: str) -> StructureError | None:
    """The first place where `text` is not well formed, or None.

    Args:
        text: the document.
        language: "json", "yaml" or "xml".

    Raises:
        UsageError: the text is in a part of YAML that is not checked here, or another language.
    """
    if language not in _CHECKS:
        raise UsageError(f"strict parsers read {', '.join(_CHECKS)}, not {language!r}")
    try:
        _CHECKS[language](text)
    except StructureError as error:
        return error
    return None


def _check_json(text: str) -> None:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise StructureError(error.msg, line=error.lineno) from None
    except RecursionError:
        raise UsageError("the JSON is nested too deeply to be checked") from None


def _refuse_constant(constant: str) -> NoReturn:
    raise StructureError(f"{constant} is not JSON", line=1)


def _check_xml(text: str) -> None:
    try:
        ParserCreate().Parse(text, True)
    except ExpatError as error:
        raise StructureError(ErrorString(error.code), line=error.lineno) from None


_LINE = re.compile(r"(?P<indent> *)(?P<dash>- )?(?P<rest>.*)")
_ENTRY = re.compile(r"[A-Za-z_]\w*:(?: +(?P<value>.*?))? *")
_PLAIN = re.compile(r"[A-Za-z0-9_](?:[^:#\"'\[\]{}]|:(?=\S))*|:\w+")
_QUOTED = re.compile(r'"[^"\\]*"')


class _Block(NamedTuple):
    column: int
    is_sequence: bool


class _YamlChecker:
    """Follows the open blocks line by line; `before` is the kind of value that came last."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")
        self._blocks: list[_Block] = []
        self._before = "nothing"

    def check(self) -> None:
        for number, line in enumerate(self._lines, 1):
            match = _LINE.fullmatch(line)
            if match is None or not match["rest"]:
                if line.strip():
                    raise _unread(line, number)
                continue
            column = len(match["indent"])
            if match["dash"]:
                self._item(column, number)
                column += 2
            self._content(match["rest"], column, number, is_item=bool(match["dash"]))

    def _content(self, rest: str, column: int, number: int, *, is_item: bool) -> None:
        entry = _ENTRY.fullmatch(rest)
        if entry is None:
            if not _PLAIN.fullmatch(rest):
                raise _unread(rest, number)
            if is_item or not self._blocks:
                raise _unread(rest, number)
            self._continuation(column, number)
            return
        if is_item:
            self._blocks.append(_Block(column, is_sequence=False))
        else:
            self._entry(column, number)
        self._before = self._value(entry["value"] or "", number)

    def _item(self, column: int, number: int) -> None:
        if not self._blocks:
            raise _unread("a list at the top", number)
        if self._before == "plain" and column > self._blocks[-1].column:
            raise _unread("a dash in running text", number)
        if self._before == "empty" and column >= self._blocks[-1].column:
            self._blocks.append(_Block(column, is_sequence=True))
            return
        while self._blocks and self._blocks[-1] != (column, True):
            if self._blocks.pop().column < column:
                break
        if not self._blocks or self._blocks[-1] != (column, True):
            raise StructureError("the dash is at the indentation of no open list", line=number)

    def _entry(self, column: int, number: int) -> None:
        if not self._blocks or (self._before == "empty" and column > self._blocks[-1].column):
            if not self._blocks and self._before != "nothing":
                raise StructureError("the indentation fits no open block", line=number)
            self._blocks.append(_Block(column, is_sequence=False))
            return
        while self._blocks and (
            self._blocks[-1].column > column or self._blocks[-1] == (column, True)
        ):
            self._blocks.pop()
        if not self._blocks or self._blocks[-1] != (column, False):
            raise StructureError("the indentation fits no open block", line=number)

    def _continuation(self, column: int, number: int) -> None:
        inside = column > self._blocks[-1].column
        if not inside or self._before not in ("plain", "empty"):
            raise StructureError("wanted a key and a colon", line=number)
        self._before = "plain"

    def _value(self, value: str, number: int) -> str:
        if not value:
            return "empty"
        if value in ("[]", "{}") or _QUOTED.fullmatch(value):
            return "closed"
        if _PLAIN.fullmatch(value):
            return "plain"
        if value.startswith(("[]", "{}")):
            raise StructureError("text after the closing bracket", line=number)
        if value.startswith('"') and "\\" not in value:
            raise self._open_quote(value, number)
        raise _unread(value, number)

    def _open_quote(self, value: str, number: int) -> StructureError | UsageError:
        rest = "\n".join([value[1:], *self._lines[number:]])
        _, closing, after = rest.partition('"')
        if closing and not after.partition("\n")[0].strip():
            return _unread(value, number)
        return StructureError("the quote does not end where its text does", line=number)


def _unread(what: str, number: int) -> UsageError:
    return UsageError(f"line {number}: {what.strip()!r} is YAML beyond what is checked here")


def _check_yaml(text: str) -> None:
    _YamlChecker(text).check()


_CHECKS = {"json": _check_json, "yaml": _check_yaml, "xml": _check_xml}
