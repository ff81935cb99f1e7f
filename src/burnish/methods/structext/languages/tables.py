"""Two comma-separated tables about the same people, biometric and work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from burnish.errors import StructureError, UsageError
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.languages.item import Asking, Item
from burnish.methods.structext.names import LETTERS
from burnish.methods.structext.rules import RULES
from burnish.methods.structext.sample import Difficulty, Profile

_BODY = ("gender", "age", "name", "height", "weight", "color")
_WORK = ("status", "salary", "company", "location")
_FIELDS = (*_BODY, *_WORK)
_HEADERS = (",".join(("primeKey", *_BODY)), ",".join(("primeKey", *_WORK)))
_GENDERS = ("female", "male")
_STATUS = ("employed", "unemployed", "retired")
_COMPANIES = ("OPENAI", "Apple", "Google", "NVIDIA", "Twitter", "Meta", "Microsoft")
_CITIES = ("CA", "WA", "TX", "NY", "GA", "HI", "IL")
_COLOURS: dict[Profile, tuple[str, ...]] = {
    "official": ("swarthy", "black", "mulatto", "white", "olive", "brown"),
    "corrected": ("red", "green", "blue", "yellow", "orange", "violet"),
}
_GENDER_AT, _HEIGHT_AT, _SALARY_AT, _LOCATION_AT = (
    1 + _FIELDS.index(field) for field in ("gender", "height", "salary", "location")
)
_CELL, _SALARIES, _GENDER, _JOIN = (
    RULES[rule].ask("official") for rule in ("csv.1", "csv.2", "csv.3", "csv.4")
)


def row_count(size: Difficulty, profile: Profile) -> int:
    """Rows of either table: as released, the width counts for nothing."""
    return size.depth if profile == "official" else 4 * size.depth * size.width


_Row = list[Any]  # the key, then the fields in the order of _FIELDS: numbers are int, others str


def draw(draws: Draws, size: Difficulty, profile: Profile) -> list[Item]:
    """Two tables and their four questions."""
    rows = _rows(draws, row_count(size, profile), _COLOURS[profile])
    below = draws.below
    gender, city, bound = _GENDERS[below(2)], _CITIES[below(7)], 150 + below(31)
    if profile == "official":
        threshold = 1_000 + below(999_000)
    else:
        threshold = _stratify(draws, rows, city, bound)
    text = _render(rows)
    row, field = rows[below(len(rows))], below(10)
    paid = len([0 for row in rows if row[_SALARY_AT] > threshold])
    tall = len([0 for row in rows if row[_HEIGHT_AT] > bound and row[_LOCATION_AT] == city])
    return [
        (text, _CELL % (_FIELDS[field], row[0]), str(row[field + 1])),
        (text, _SALARIES % threshold, str(paid)),
        (text, _GENDER % gender, str(len([0 for row in rows if row[_GENDER_AT] == gender]))),
        (text, _JOIN % (city, bound), str(tall)),
    ]


def _rows(draws: Draws, count: int, colours: tuple[str, ...]) -> list[_Row]:
    below = draws.below
    names = LETTERS.take(below(26), count)
    return [
        [
            key,
            _GENDERS[below(2)],
            10 + below(61),
            name,
            120 + below(101),
            70 + below(111),
            colours[below(6)],
            _STATUS[below(3)],
            1_000 + below(999_001),
            _COMPANIES[below(7)],
            _CITIES[below(7)],
        ]
        for key, name in zip(LETTERS.take(0, count), names, strict=True)
    ]


def _stratify(draws: Draws, rows: list[_Row], city: str, bound: int) -> int:
    """Redraw what the counts depend on so that every count is as likely (D5); a threshold."""
    count = len(rows)
    women = draws.between(0, count)
    for rank, row in enumerate(draws.shuffled(rows)):
        row[_GENDER_AT] = _GENDERS[0] if rank < women else _GENDERS[1]
    counted = draws.below(count)
    living = draws.between(counted, count)
    elsewhere = [other for other in _CITIES if other != city]
    for rank, row in enumerate(draws.shuffled(rows)):
        row[_LOCATION_AT] = city if rank < living else draws.pick(elsewhere)
        if rank < counted:
            row[_HEIGHT_AT] = draws.between(bound + 1, 220)
        elif rank < living:
            row[_HEIGHT_AT] = draws.between(120, bound)
    salaries: set[int] = set()
    while len(salaries) < count:
        salaries.add(draws.between(1_001, 999_999))
    for row, salary in zip(rows, draws.shuffled(sorted(salaries)), strict=True):
        row[_SALARY_AT] = salary
    ladder = [1_000, *sorted(salaries), 1_000_000]
    step = draws.below(count + 1)
    return draws.between(ladder[step], ladder[step + 1] - 1)


def _render(rows: list[_Row]) -> str:
    body, work = [_HEADERS[0]], ["", _HEADERS[1]]
    for key, gender, age, name, height, weight, color, *job in rows:
        body.append(f"{key},{gender},{age},{name},{height},{weight},{color}")
        status, salary, company, location = job
        work.append(f"{key},{status},{salary},{company},{location}")
    return "\n".join(body + work)


@dataclass(frozen=True)
class _Tables:
    """Each person's fields by key, and the line of each field's table header."""

    people: dict[str, dict[str, str]]
    lines: dict[str, dict[str, int]]

    def number(self, key: str, field: str) -> int:
        cell = self.people[key][field]
        if not (cell.isascii() and cell.isdigit()):
            raise StructureError(
                f"{field} of {key!r} must be a whole number, got {cell!r}",
                line=self.lines[key][field],
            )
        return int(cell)


def _read(text: str) -> _Tables:
    people: dict[str, dict[str, str]] = {}
    lines: dict[str, dict[str, int]] = {}
    header: list[str] = []
    seen: set[str] = set()
    for number, line in enumerate(text.rstrip("\n").split("\n"), 1):
        if not line:
            header = []
            continue
        cells = line.split(",")
        if not header:
            header = _header(cells, number)
            seen = set()
            continue
        if len(cells) != len(header):
            raise StructureError(f"wanted {len(header)} cells, got {len(cells)}", line=number)
        key = cells[0]
        if key in seen:
            raise StructureError(f"primeKey {key!r} comes a second time", line=number)
        seen.add(key)
        people.setdefault(key, {}).update(zip(header[1:], cells[1:], strict=True))
        lines.setdefault(key, {}).update(dict.fromkeys(header[1:], number))
    _check_joined(people, lines)
    return _Tables(people, lines)


def _header(cells: list[str], number: int) -> list[str]:
    if cells[0] != "primeKey" or not set(cells[1:]) <= set(_FIELDS):
        raise StructureError(
            f"wanted a header of primeKey and fields, got {','.join(cells)!r}", line=number
        )
    return cells


def _check_joined(people: dict[str, dict[str, str]], lines: dict[str, dict[str, int]]) -> None:
    for key, fields in people.items():
        missing = [field for field in _FIELDS if field not in fields]
        if missing:
            raise StructureError(
                f"primeKey {key!r} is in one table only, {missing[0]} is missing",
                line=max(lines[key].values()),
            )


def cell(text: str, asked: Asking) -> str:
    """csv.1: one field of one record."""
    field, key = asked.variables["field"], asked.variables["key"]
    people = _read(text).people
    if field not in _FIELDS:
        raise UsageError(f"unknown field {field!r}; there are: {', '.join(_FIELDS)}")
    if key not in people:
        raise UsageError(f"the text has no record with primeKey {key!r}; ask for one that it has")
    return people[key][field]


def better_paid(text: str, asked: Asking) -> str:
    """csv.2: rows with a salary strictly greater, whatever the status."""
    threshold = _bound(asked, "salary")
    tables = _read(text)
    return str(sum(tables.number(key, "salary") > threshold for key in tables.people))


def of_gender(text: str, asked: Asking) -> str:
    """csv.3: rows of one gender."""
    gender = asked.variables["gender"]
    if gender not in _GENDERS:
        raise UsageError(f"unknown gender {gender!r}; there are: {', '.join(_GENDERS)}")
    return str(sum(fields["gender"] == gender for fields in _read(text).people.values()))


def taller_in(text: str, asked: Asking) -> str:
    """csv.4: rows with that location and a height strictly greater."""
    city, bound = asked.variables["city"], _bound(asked, "height")
    tables = _read(text)
    return str(
        sum(
            fields["location"] == city and tables.number(key, "height") > bound
            for key, fields in tables.people.items()
        )
    )


def _bound(asked: Asking, name: str) -> int:
    value = asked.variables[name]
    if not (value.isascii() and value.isdigit()):
        raise UsageError(f"the question's {name} must be a whole number, got {value!r}")
    return int(value)


SOLVERS = {"csv.1": cell, "csv.2": better_paid, "csv.3": of_gender, "csv.4": taller_in}
