"""Suites of fresh samples: documents of every language and size, with questions and answers.

Each document depends on its own coordinates alone (seed, profile, language, dials, number of
shots, pass, place among the shots), so any part of a suite can be made anywhere, in any order, and
comes out byte for byte the same.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, starmap
from typing import Any, NamedTuple, get_args

from burnish.errors import UsageError
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.languages import DRAW
from burnish.methods.structext.languages.item import Item
from burnish.methods.structext.languages.tables import row_count
from burnish.methods.structext.rules import LANGUAGES, RULES, rules_of
from burnish.methods.structext.sample import (
    SIMPLE,
    Difficulty,
    Profile,
    Sample,
    Shot,
    Suite,
    assemble,
)
from burnish.methods.structext.shapes import check_size

_BATCH = 64
_MOST_REDRAWS = 1_000


def build(
    *,
    languages: Sequence[str] | None = None,
    rules: Sequence[str] | None = None,
    grid: Sequence[tuple[int, int]] = ((1, 1), (2, 1)),
    columns: int = 6,
    shots: Sequence[int] = (0,),
    hints: Sequence[bool] = (False,),
    n: int = 1,
    seed: int = 0,
    profile: Profile = "corrected",
    simple_shots: bool = False,
    workers: int = 1,
    max_nodes: int = 5000,
) -> Suite:
    """Generate a suite: for each pass, number of shots, language and cell, one document.

    All of the language's rules are asked about that document, each without or with its hint.
    Worked examples come from documents of their own, the same for all rules.

    Args:
        languages: of `LANGUAGES`; None for all.
        rules: of `RULES`; None for all of the languages. Leaving rules out changes no other.
        grid: pairs of depth and width, the ratios d and w.
        columns: ratio c of attributes and paragraph length, >= 1.
        shots: numbers of worked examples, each >= 0.
        hints: whether the rule hint is given; (False, True) asks everything twice.
        n: passes over all of it, >= 1.
        seed: of the whole suite.
        profile: "official" is as released, defects included; "corrected" mends them.
        simple_shots: draw the worked examples at depth 2, width 1, columns 6 for any cell, once a
            language, so that prompts share them.
        workers: processes; the suite does not depend on it. More than one pays for large
            documents, and the calling module must be importable (`if __name__ == "__main__"`).
        max_nodes: refuse larger documents.

    Returns:
        The samples, in the order of the loops above, rules and then hints innermost.

    Raises:
        UsageError: an unknown language, rule or profile, a number out of range, or a document
            with more than `max_nodes` nodes.

    Source: Gu et al., arXiv 2406.10621, and the October 2024 release; section 2.4 of the
    specification. Departures of the official profile: see `languages.markup`.
    """
    return Suite(
        tuple(
            iter_build(
                languages=languages,
                rules=rules,
                grid=grid,
                columns=columns,
                shots=shots,
                hints=hints,
                n=n,
                seed=seed,
                profile=profile,
                simple_shots=simple_shots,
                workers=workers,
                max_nodes=max_nodes,
            )
        )
    )


def iter_build(
    *,
    languages: Sequence[str] | None = None,
    rules: Sequence[str] | None = None,
    grid: Sequence[tuple[int, int]] = ((1, 1), (2, 1)),
    columns: int = 6,
    shots: Sequence[int] = (0,),
    hints: Sequence[bool] = (False,),
    n: int = 1,
    seed: int = 0,
    profile: Profile = "corrected",
    simple_shots: bool = False,
    workers: int = 1,
    max_nodes: int = 5000,
) -> Iterator[Sample]:
    """As `build`, but the samples come one by one, for suites that do not fit into memory."""
    chosen = _choose(languages, rules)
    cells = [Difficulty(depth, width, columns) for depth, width in grid]
    _check_numbers(profile, cells, shots, n, workers, max_nodes, chosen)
    plan = _Plan(
        chosen, cells, tuple(shots), tuple(hints), n, seed, profile, simple_shots=simple_shots
    )
    return _run(plan, workers)


def _choose(
    languages: Sequence[str] | None, rules: Sequence[str] | None
) -> dict[str, tuple[str, ...]]:
    """The rules to ask, by language, both in the order of the catalogue."""
    for kind, given, known in (("language", languages, LANGUAGES), ("rule", rules, RULES)):
        if isinstance(given, str):
            raise UsageError(f"{kind}s are a list, got the text {given!r}; write [{given!r}]")
        for name in given or ():
            if name not in known:
                raise UsageError(f"unknown {kind} {name!r}; there are: {', '.join(known)}")
    chosen = {
        language: tuple(rule.id for rule in rules_of(language) if rules is None or rule.id in rules)
        for language in LANGUAGES
        if languages is None or language in languages
    }
    chosen = {language: asked for language, asked in chosen.items() if asked}
    if not chosen:
        raise UsageError(
            f"none of the rules {', '.join(rules or ())} is about any of the languages "
            f"{', '.join(languages or ())}; name rules of those languages"
        )
    return chosen


def _check_numbers(
    profile: str,
    cells: Sequence[Difficulty],
    shots: Sequence[int],
    n: int,
    workers: int,
    max_nodes: int,
    chosen: dict[str, tuple[str, ...]],
) -> None:
    if profile not in get_args(Profile):
        raise UsageError(f"unknown profile {profile!r}; there are: {', '.join(get_args(Profile))}")
    for name, number, least in (
        ("n", n, 1),
        ("workers", workers, 1),
        *(("shots", count, 0) for count in shots),
    ):
        if not isinstance(number, int) or number < least:
            raise UsageError(f"{name} counts from {least}, got {number!r}")
    for cell in cells:
        check_size(cell.depth, cell.width, cell.columns, max_nodes)
        rows = row_count(cell, "official" if profile == "official" else "corrected")
        if "csv" in chosen and rows > max_nodes:
            raise UsageError(
                f"a table of depth {cell.depth} and width {cell.width} has {rows} rows, more "
                f"than max_nodes={max_nodes}; lower the dials or raise max_nodes"
            )


class _Lot(NamedTuple):
    """Documents that differ in nothing but their pass.

    Attributes:
        key: what their draws start from.
        simple_key: what the draws of easy worked examples start from, one set a language.
        draw: makes one.
        cell: its dials.
        shots: worked examples it gets.
        asked: for each rule and hint, the rule's place among the language's rules, and the
            fields that its samples share.
    """

    key: bytes
    simple_key: bytes
    draw: Callable[[Draws, Difficulty, Profile], list[Item]]
    cell: Difficulty
    shots: int
    asked: list[tuple[int, dict[str, Any]]]


@dataclass(frozen=True)
class _Plan:
    """What a suite is made of; any range of its documents can be made on its own."""

    chosen: dict[str, tuple[str, ...]]
    cells: Sequence[Difficulty]
    shots: tuple[int, ...]
    hints: tuple[bool, ...]
    passes: int
    seed: int
    profile: Profile
    simple_shots: bool

    def __len__(self) -> int:
        return self.passes * len(self._lots)

    def samples(self, start: int, stop: int) -> Iterator[Sample]:
        """The samples of documents `start` to `stop - 1`."""
        lots = self._lots
        for index in range(start, stop):
            number, lot = divmod(index, len(lots))
            yield from self._document(lots[lot], number)

    def _document(self, lot: _Lot, number: int) -> list[Sample]:
        items = lot.draw(Draws(b"%b/%d" % (lot.key, number)), lot.cell, self.profile)
        if not lot.shots:
            return [assemble(shared, items[place], ()) for place, shared in lot.asked]
        demos = [self._demo(lot, number, demo, items) for demo in range(lot.shots)]
        worked = [tuple(starmap(Shot, of_one_rule)) for of_one_rule in zip(*demos, strict=True)]
        return [assemble(shared, items[place], worked[place]) for place, shared in lot.asked]

    def _demo(self, lot: _Lot, number: int, demo: int, items: Sequence[Item]) -> list[Item]:
        """Worked example `demo`; in the corrected profile never the test document itself (D10)."""
        size = SIMPLE if self.simple_shots else lot.cell
        kind = lot.simple_key if self.simple_shots else b"%b/%d/same" % (lot.key, number)
        for attempt in range(_MOST_REDRAWS):
            key = b"%b/%d/%d" % (kind, demo, attempt)
            drawn = lot.draw(Draws(key), size, self.profile)
            if self.profile == "official" or drawn[0][0] != items[0][0]:
                return drawn
        raise UsageError(
            f"depth {lot.cell.depth} and width {lot.cell.width} leave no other document for the "
            "shots; raise the dials"
        )

    @cached_property
    def _lots(self) -> list[_Lot]:
        """One pass, in order."""
        return [
            self._lot(shots, language, cell)
            for shots in self.shots
            for language in self.chosen
            for cell in self.cells
        ]

    def _lot(self, shots: int, language: str, cell: Difficulty) -> _Lot:
        coordinates = (self.seed, self.profile, language, *vars(cell).values(), shots)
        return _Lot(
            key="/".join(map(str, coordinates)).encode(),
            simple_key=f"{self.seed}/{self.profile}/{language}/simple".encode(),
            draw=DRAW[language],
            cell=cell,
            shots=shots,
            asked=[
                (place, self._fields(rule.id, cell, hint=hint))
                for place, rule in enumerate(rules_of(language))
                if rule.id in self.chosen[language]
                for hint in self.hints
            ],
        )

    def _fields(self, rule_id: str, cell: Difficulty, *, hint: bool) -> dict[str, Any]:
        rule = RULES[rule_id]
        return {
            "language": rule.language,
            "task": rule.task,
            "rule": rule.id,
            "difficulty": cell,
            "hint": rule.hint_of(self.profile) if hint else "",
            "compare": rule.compare_of(self.profile),
            "profile": self.profile,
            "simple_shots": self.simple_shots,
        }


def _run(plan: _Plan, workers: int) -> Iterator[Sample]:
    if workers == 1:
        yield from plan.samples(0, len(plan))
        return
    starts = iter(range(0, len(plan), _BATCH))
    # Spawned processes share no lock or thread with a caller that may have loaded torch.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        pending = [pool.submit(_batch, plan, start) for start in islice(starts, 2 * workers)]
        while pending:
            yield from pending.pop(0).result()
            pending += [pool.submit(_batch, plan, start) for start in islice(starts, 1)]


def _batch(plan: _Plan, start: int) -> list[Sample]:
    return list(plan.samples(start, min(start + _BATCH, len(plan))))
