"""Answers of the right type, read off a document: what a guesser or a distractor may say."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from burnish.errors import StructureError
from burnish.methods.structext.rules import RULES
from burnish.methods.structext.sample import Sample
from burnish.methods.structext.solver import solve

MIN_INTEGERS = 5  # 0 to 4 at least, so that small documents leave room for four distractors
MAX_LISTS = 8

_IDS = re.compile(r'"?\bid"?:\s*"(\w+)"')
_TAGS = re.compile(r"<([A-Za-z]\w*)[ >]")
_JSON_VALUES = re.compile(r'"(?!id")\w+":"(\w+)"')
_YAML_VALUES = re.compile(r'^[ \t]*(?:- )?(?!id:)\w+: "?(\w+)"?,?[ \t]*$', re.MULTILINE)
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


def typed_answers(sample: Sample, rng: random.Random) -> Iterator[str]:
    """Distinct answers of the type a sample asks for, read off its text, in random order.

    - Tree.Height, Tree.Depth, Statistics and Join: the integers from 0 to the number of edges or
      rows, and to 4 at least;
    - Syntax: `True`, `False`;
    - ids, tag names, cells of the column asked for, paths to other nodes or values, excerpts of
      other objects, elements or sections: all there are in the text;
    - lists of bold strings, of files, of objects: the sentence for none, the full list, and random
      lists, up to 8 in all.

    The right answer is among them wherever the text alone tells it, but not singled out. A document
    of one or two nodes has few: callers must be ready for the iterator to end.

    Args:
        sample: its reference answer is not looked at.
        rng: decides the order.
    """
    seen: set[str] = set()
    for answer in _KINDS[sample.rule](sample, rng):
        if answer and answer not in seen:
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
    return iter(_shuffled([str(n) for n in range(max(largest + 1, MIN_INTEGERS))], rng))


def _truth(_: Sample, rng: random.Random) -> Iterator[str]:
    return iter(_shuffled(["True", "False"], rng))


def _matches(pattern: re.Pattern[str]) -> Callable[[Sample, random.Random], Iterator[str]]:
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


def _asking(
    variable: str, things: re.Pattern[str]
) -> Callable[[Sample, random.Random], Iterator[str]]:
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
    except StructureError:
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
    starts = [rng.randrange(len(words)) for _ in range(4)]
    decoys = [" ".join(words[start : start + rng.randint(1, 3)]) for start in starts]
    return _lists(sample, _NO_BOLD, decoys, rng, "\n")


def _files(sample: Sample, rng: random.Random) -> Iterator[str]:
    words = _WORDS.findall(sample.text) or ["a"]
    decoys = [rng.choice(words)[:3].lower() + rng.choice(_EXTENSIONS) for _ in range(4)]
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


_Kind = Callable[[Sample, random.Random], Iterator[str]]
_KINDS: Mapping[str, _Kind] = {
    "tree.1": _edges,
    "tree.2": _edges,
    "tree.3": _paths,
    "csv.1": _cells,
    "csv.2": _rows,
    "csv.3": _rows,
    "csv.4": _rows,
    "json.1": _asking("id", _IDS),
    "yaml.1": _asking("id", _IDS),
    "xml.1": _asking("tag", _TAGS),
    "json.2": _matches(_IDS),
    "yaml.2": _matches(_IDS),
    "xml.2": _matches(_TAGS),
    "json.3": _truth,
    "yaml.3": _truth,
    "xml.3": _truth,
    "json.4": _asking("value", _JSON_VALUES),
    "yaml.4": _asking("value", _YAML_VALUES),
    "json.5": _objects,
    "yaml.5": _objects,
    **{f"{language}.1": _bold for language in _HEADINGS},
    **{f"{language}.2": _sections for language in _HEADINGS},
    **{f"{language}.3": _files for language in _HEADINGS},
}
