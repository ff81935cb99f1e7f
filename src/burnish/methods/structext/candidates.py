"""Answers of the right type, read off a document: what a guesser or a distractor may say."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice

from burnish.errors import UsageError
from burnish.methods.structext.rules import RULES
from burnish.methods.structext.sample import Sample
from burnish.methods.structext.solver import solve

MIN_ANSWERS = 5  # so that small documents, too, leave room for four distractors
MAX_LISTS = 8

_IDS = re.compile(r'"?\bid"?:\s*"(\w+)"')
_TAGS = re.compile(r"<([A-Za-z]\w*)[ >]")
_JSON_VALUES = re.compile(r'"(?!id")\w+":"(\w+)"')
_YAML_VALUES = re.compile(r'^[ \t]*(?:- )?(?!id:)\w+: "?(\w+)"?,?[ \t]*$', re.MULTILINE)
_NAME = re.compile(r"\b[A-Za-z]{1,3}\b")
_EDGE = re.compile(r"^(\S+?)->(\S+)$", re.MULTILINE)
_WORDS = re.compile(r"[A-Za-z][\w-]*")
_HEADINGS: Mapping[str, re.Pattern[str]] = {
    "markdown": re.compile(r"^(#+) ", re.MULTILINE),
    "org": re.compile(r"^(\*+) ", re.MULTILINE),
    "latex": re.compile(r"^\\((?:sub)*section)\{", re.MULTILINE),
}
_NO_BOLD = "No bold texts presented in file."
_NO_IMAGE = {
    "markdown": "No image file is included in the file.",
    "org": "No image file is included in the file.",
    "latex": "No figure file is included in the file.",
}
_EXTENSIONS = (".png", ".jpg", ".jpeg", ".gif")

_Kind = Callable[[Sample, random.Random], Iterator[str]]
_NearMisses = Callable[[Sample, Sequence[str]], Sequence[str]]


def typed_answers(sample: Sample, rng: random.Random) -> Iterator[str]:
    """Distinct answers of the type a sample asks for, read off its text, in random order.

    - Tree.Height, Tree.Depth, Statistics and Join: the integers from 0 to the number of edges or
      rows, and to 4 at least;
    - Syntax: `True`, `False`;
    - ids, tag names, cells of the column asked for, paths to nodes or values, excerpts of objects,
      elements or sections: all there are in the text;
    - lists of bold strings, of files, of objects: the sentence for none, the full list, and random
      lists, up to 8 in all.

    A document of one or two nodes has fewer than five of most; near misses make up the number, so
    that chance does not depend on size: other names or cells that look alike, paths that turn or
    stop at the wrong step, excerpts that lack a line. The right answer is among all of them
    wherever the text alone tells it, but not singled out. Syntax has two answers and no more.

    Args:
        sample: its reference answer is not looked at.
        rng: decides the order.

    Raises:
        UsageError: unknown rule, or a question that the rule does not word so.
    """
    if sample.rule not in _KINDS:
        raise UsageError(f"unknown rule {sample.rule!r}; there are: {', '.join(_KINDS)}")
    kind, near_misses = _KINDS[sample.rule]
    answers = _distinct(kind(sample, rng))
    found = list(islice(answers, MIN_ANSWERS))
    if len(found) < MIN_ANSWERS:
        misses = _shuffled(near_misses(sample, found), rng)
        found = list(islice(_distinct(chain(found, misses)), MIN_ANSWERS))
        rng.shuffle(found)
    yield from found
    yield from answers


def _distinct(answers: Iterator[str]) -> Iterator[str]:
    seen: set[str] = {""}
    for answer in answers:
        if answer not in seen:
            seen.add(answer)
            yield answer


def _shuffled(items: Sequence[str], rng: random.Random) -> list[str]:
    distinct = list(dict.fromkeys(items))
    rng.shuffle(distinct)
    return distinct


def _edges(sample: Sample, rng: random.Random) -> Iterator[str]:
    return _integers(len(_EDGE.findall(sample.text)), rng)


def _rows(sample: Sample, rng: random.Random) -> Iterator[str]:
    first_table = sample.text.strip().split("\n\n")[0]
    return _integers(len(first_table.splitlines()) - 1, rng)


def _integers(largest: int, rng: random.Random) -> Iterator[str]:
    return iter(_shuffled([str(n) for n in range(max(largest + 1, MIN_ANSWERS))], rng))


def _truth(_: Sample, rng: random.Random) -> Iterator[str]:
    return iter(_shuffled(["True", "False"], rng))


def _matches(pattern: re.Pattern[str]) -> _Kind:
    return lambda sample, rng: iter(_shuffled(pattern.findall(sample.text), rng))


def _paths(sample: Sample, rng: random.Random) -> Iterator[str]:
    parents = {child: parent for parent, child in _EDGE.findall(sample.text)}
    nodes = [*parents.values(), *parents]
    for node in _shuffled(nodes, rng):
        path = [node]
        while path[-1] in parents and len(path) <= len(parents):
            path.append(parents[path[-1]])
        yield "->".join(reversed(path))


def _cells(sample: Sample, rng: random.Random) -> Iterator[str]:
    field = RULES[sample.rule].read(sample.question).variables["field"]
    cells: list[str] = []
    for table in sample.text.strip().split("\n\n"):
        header, *rows = table.splitlines()
        names = header.split(",")
        if field in names:
            column = names.index(field)
            cells += [row.split(",")[column] for row in rows if row.count(",") >= column]
    return iter(_shuffled(cells, rng))


def _asking(variable: str, things: re.Pattern[str]) -> _Kind:
    """Answers to the sample's question put about every thing in the text.

    Args:
        variable: of the rule's template.
        things: its first group is what the question could be about.
    """

    def answers(sample: Sample, rng: random.Random) -> Iterator[str]:
        for thing in _shuffled(things.findall(sample.text), rng):
            answer = _solved(_about(sample, sample.rule, variable, thing))
            if answer is not None:
                yield answer

    return answers


def _about(sample: Sample, rule: str, variable: str, thing: str) -> Sample:
    """The sample with a question of a rule about another thing."""
    template = RULES[rule].template(sample.profile)
    return replace(sample, rule=rule, question=template.replace(f"{{{variable}}}", thing))


def _solved(sample: Sample) -> str | None:
    try:
        return solve(
            sample.text, sample.question, sample.rule, sample.difficulty, profile=sample.profile
        )
    except UsageError:  # malformed, or the text has no answer to this one
        return None


def _sections(sample: Sample, rng: random.Random) -> Iterator[str]:
    """Every heading with what stands below it, by the headings' own levels."""
    headings = list(_HEADINGS[sample.language].finditer(sample.text))
    found: list[str] = []
    for index, heading in enumerate(headings):
        later = (h for h in headings[index + 1 :] if len(h[1]) <= len(heading[1]))
        end = next((h.start() for h in later), len(sample.text))
        found.append(sample.text[heading.start() : end].strip())
    return iter(_shuffled(found, rng))


def _bold(sample: Sample, rng: random.Random) -> Iterator[str]:
    words = [word for word in _WORDS.findall(sample.text) if len(word) > 2] or ["none"]
    starts = [rng.randrange(len(words)) for _ in range(MAX_LISTS)]
    decoys = [" ".join(words[start : start + rng.randint(1, 3)]) for start in starts]
    return _lists(sample, _NO_BOLD, decoys, rng, "\n")


def _files(sample: Sample, rng: random.Random) -> Iterator[str]:
    words = _WORDS.findall(sample.text) or ["a"]
    decoys = [rng.choice(words)[:3].lower() + rng.choice(_EXTENSIONS) for _ in range(MAX_LISTS)]
    return _lists(sample, _NO_IMAGE[sample.language], decoys, rng, "\n")


def _objects(sample: Sample, rng: random.Random) -> Iterator[str]:
    ids = _shuffled(_IDS.findall(sample.text), rng)[:MAX_LISTS]
    rule = f"{sample.language}.1"
    found = (_solved(_about(sample, rule, "id", node)) for node in ids)
    return _lists(sample, "", [answer for answer in found if answer], rng, "\n\n")


def _lists(
    sample: Sample, none: str, decoys: Sequence[str], rng: random.Random, separator: str
) -> Iterator[str]:
    """The sentence for none, the list in the text, and random lists of its items and decoys."""
    full = _solved(sample) or none
    items = [] if full == none else full.split(separator)
    pool = list(dict.fromkeys([*items, *decoys]))
    answers = [none, full]
    for _ in range(4 * MAX_LISTS):
        if len(set(answers)) >= MAX_LISTS or not pool:
            break
        size = rng.randint(1, min(len(pool), max(1, len(items))))
        chosen = sorted(rng.sample(range(len(pool)), size))
        answers.append(separator.join(pool[index] for index in chosen))
    return iter(_shuffled(answers, rng))


def _none(_: Sample, __: Sequence[str]) -> list[str]:
    return []


def _names(sample: Sample, _: Sequence[str]) -> list[str]:
    """Keys, values and tags: all look like ids."""
    body = sample.text.partition("?>")[2] or sample.text
    return [name for name in _NAME.findall(body) if name not in ("id", "subs")]


def _cells_like(sample: Sample, found: Sequence[str]) -> list[str]:
    """Cells of other columns that are words if these are; numbers, and their neighbours, if not."""
    tables = (table.splitlines()[1:] for table in sample.text.strip().split("\n\n"))
    cells = [cell for rows in tables for row in rows for cell in row.split(",")]
    if not any(cell.isdigit() for cell in found):
        return [cell for cell in cells if not cell.isdigit()]
    numbers = [int(cell) for cell in cells if cell.isdigit()]
    return [str(number + step) for number in numbers for step in (-1, 0, 1)]


def _wrong_turns(_: Sample, found: Sequence[str]) -> list[str]:
    """Paths of a tree walked backwards, begun late, or walked back again."""
    paths = [path.split("->") for path in found]
    turned = [path[::-1] for path in paths] + [path[1:] for path in paths]
    turned += [path + path[-2::-1] for path in paths]
    return ["->".join(path) for path in turned]


def _wrong_steps(_: Sample, found: Sequence[str]) -> list[str]:
    """Keys of these paths at the places of the others, and at places there need not be."""
    split = [path.rpartition("[") for path in found]
    places = [*(place for place, _, _ in split), "obj", 'obj["subs"][0]', 'obj["subs"][1]']
    return [f"{place}[{key}" for place in places for _, _, key in split]


def _line_less(_: Sample, found: Sequence[str]) -> list[str]:
    """Excerpts without one of their lines."""
    lines = [answer.split("\n") for answer in found]
    return [
        "\n".join([*excerpt[:gap], *excerpt[gap + 1 :]])
        for excerpt in lines
        for gap in range(len(excerpt))
        if len(excerpt) > 1
    ]


def _section_parts(sample: Sample, found: Sequence[str]) -> list[str]:
    """What stands before the first heading, the whole text, and sections that lack a line."""
    heading = _HEADINGS[sample.language].search(sample.text)
    before = sample.text[: heading.start()].strip() if heading else ""
    return [before, sample.text.strip(), *_line_less(sample, found)]


_TREE_INTEGERS = (_edges, _none)
_ROW_COUNTS = (_rows, _none)
_TRUTHS = (_truth, _none)
_KINDS: Mapping[str, tuple[_Kind, _NearMisses]] = {
    "tree.1": _TREE_INTEGERS,
    "tree.2": _TREE_INTEGERS,
    "tree.3": (_paths, _wrong_turns),
    "csv.1": (_cells, _cells_like),
    "csv.2": _ROW_COUNTS,
    "csv.3": _ROW_COUNTS,
    "csv.4": _ROW_COUNTS,
    "json.1": (_asking("id", _IDS), _line_less),
    "yaml.1": (_asking("id", _IDS), _line_less),
    "xml.1": (_asking("tag", _TAGS), _line_less),
    "json.2": (_matches(_IDS), _names),
    "yaml.2": (_matches(_IDS), _names),
    "xml.2": (_matches(_TAGS), _names),
    "json.3": _TRUTHS,
    "yaml.3": _TRUTHS,
    "xml.3": _TRUTHS,
    "json.4": (_asking("value", _JSON_VALUES), _wrong_steps),
    "yaml.4": (_asking("value", _YAML_VALUES), _wrong_steps),
    "json.5": (_objects, _line_less),
    "yaml.5": (_objects, _line_less),
    **{f"{language}.1": (_bold, _none) for language in _HEADINGS},
    **{f"{language}.2": (_sections, _section_parts) for language in _HEADINGS},
    **{f"{language}.3": (_files, _none) for language in _HEADINGS},
}
