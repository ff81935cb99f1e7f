"""BBQ, gender: who of two people a question means.

Source: Parrish et al. 2022, arXiv:2110.08193.
Used here as extractive question answering: where the context says who is meant, the answer is a
span of it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from burnish.data.examples import Examples
from burnish.data.sets.parts import Parts

# Scenarios that are tested. Most are there twice, once with "the man" and "the woman" and once
# with names; both, and others that ask the same question, are in one part.
_TESTED = frozenset(["5", "30", "9", "34", "11", "36", "18", "40", "21", "44"])


def read(folder: Path) -> Parts:
    """The set from an asset's folder, in parts of our own; ids are those of BBQ."""
    with (folder / "Gender_identity.jsonl").open(encoding="utf-8") as lines:
        items: list[dict[str, Any]] = [json.loads(line) for line in lines]
    unclear = {item["example_id"]: item for item in items if item["context_condition"] == "ambig"}
    clear = [item for item in items if item["context_condition"] == "disambig"]
    found = {}
    for item in clear:
        told = len(unclear[item["example_id"] - 1]["context"].rstrip())
        if answer := _answer(item, told):
            found[item["example_id"]] = (item, answer)
    train = [pair for pair in found.values() if pair[0]["question_index"] not in _TESTED]
    test = [pair for pair in found.values() if pair[0]["question_index"] in _TESTED]
    note = (
        f"of {len(items):,} items, made from templates, the {len(clear):,} whose context says who "
        f"is meant, less {len(clear) - len(found)} whose context does not contain the answer "
        "literally. The parts are ours, and no scenario is in both; made to measure bias, used "
        "here to find answers"
    )
    return Parts(_examples(train), _examples(test), note)


def _answer(item: dict[str, Any], told: int) -> tuple[int, str] | None:
    """Where the answer stands, if possible in what the clear context adds to the unclear one."""
    context: str = item["context"]
    wanted: str = item[f"ans{item['label']}"]
    pattern = re.compile(rf"\b{re.escape(wanted)}\b", re.IGNORECASE)
    match = pattern.search(context, told) or pattern.search(context)
    return (match.start(), match[0]) if match else None


def _examples(pairs: list[tuple[dict[str, Any], tuple[int, str]]]) -> Examples:
    return Examples(
        task="qa",
        ids=tuple(item["example_id"] for item, _ in pairs),
        texts=tuple(item["context"] for item, _ in pairs),
        others=tuple(item["question"] for item, _ in pairs),
        answers=tuple(answer for _, answer in pairs),
    )
