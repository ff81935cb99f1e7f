"""WordNet's own data files, read as they are. Knows no method.

Format: wndb(5WN) of Princeton University. One line a synset: its offset, a file number, the part of
speech, the words, the relations to other synsets, then the gloss after a bar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from burnish.errors import DataError

Part = Literal["noun", "verb", "adj", "adv"]
HYPERNYM, INSTANCE_HYPERNYM = "@", "@i"


@dataclass(frozen=True, slots=True)
class Synset:
    """Words of one meaning.

    Attributes:
        offset: of the line in its file; what relations point to.
        lemmas: the words, the commonest first, with spaces; case as in the file.
        relations: (symbol, offset) of relations to synsets of the same part of speech, in the
            file's order.
        gloss: definition and examples.
    """

    offset: int
    lemmas: tuple[str, ...]
    relations: tuple[tuple[str, int], ...]
    gloss: str

    def related(self, symbol: str) -> tuple[int, ...]:
        """Offsets that a relation points to."""
        return tuple(offset for kind, offset in self.relations if kind == symbol)


def read_synsets(folder: Path, part: Part = "noun") -> dict[int, Synset]:
    """All synsets of a part of speech by their offset, in the file's order.

    Args:
        folder: that holds `data.noun` and its like.
        part: of speech.

    Raises:
        DataError: the file is missing, or a line is not in the format.
    """
    path = folder / f"data.{part}"
    try:
        content = path.read_text(encoding="latin-1")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give WordNet's dict") from error
    return {synset.offset: synset for synset in _synsets(content, path)}


def _synsets(content: str, path: Path) -> Iterator[Synset]:
    for number, line in enumerate(content.splitlines(), 1):
        if line.startswith("  ") or not line:  # the licence
            continue
        try:
            yield _synset(line)
        except (ValueError, IndexError) as error:
            raise DataError(
                f"{path}, line {number}, is no synset: {error}; take the file as WordNet has it"
            ) from error


def _synset(line: str) -> Synset:
    data, _, gloss = line.partition("|")
    fields = data.split()
    own, end = fields[2], 4 + 2 * int(fields[3], 16)
    pointers = fields[end + 1 : end + 1 + 4 * int(fields[end])]
    kinds = "as" if own in "as" else own
    return Synset(
        int(fields[0]),
        tuple(word.replace("_", " ") for word in fields[4:end:2]),
        tuple(
            (symbol, int(offset))
            for symbol, offset, kind in zip(
                pointers[::4], pointers[1::4], pointers[2::4], strict=True
            )
            if kind in kinds
        ),
        gloss.strip(),
    )
