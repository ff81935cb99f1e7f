"""More general nouns, from the data files of Princeton WordNet: `index.noun`, `data.noun`.

The files' format is that of WordNet's manual pages wndb(5WN) and morphy(7WN). Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from burnish.errors import DataError
from burnish.methods.nlpguard.annotation import key

MOST_STEPS = 4
_ENDINGS = (  # of morphy(7WN), nouns
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
)
# WordNet's "he" is helium, and "his" is taken for the plural of a greeting
_PRONOUNS = frozenset({"he", "him", "his", "himself", "she", "her", "hers", "herself"})
_UP = ("@", "@i")  # a kind of; an instance of


class WordNet:
    """The nouns of a WordNet folder; files are read on first use.

    Args:
        folder: holds `index.noun`, `data.noun` and, for irregular plurals, `noun.exc`.

    Raises:
        DataError: one of the first two is missing.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        for name in ("index.noun", "data.noun"):
            if not (self._folder / name).is_file():
                raise DataError(
                    f"{self._folder} has no file {name}; name the folder of WordNet's data files"
                )

    def climb(
        self, word: str, allowed: Callable[[str], bool], *, steps: int = MOST_STEPS
    ) -> str | None:
        """The first lemma above a noun that is allowed.

        The way goes through the first sense of the noun and the first hypernym of each synset.

        Args:
            word: any case; a plural goes by its singular.
            allowed: whether a lemma may be taken.
            steps: how far to climb at most.

        Returns:
            A lemma with spaces for underscores; None for a word that is no noun here or a
            pronoun, or if nothing on the way is allowed.

        Raises:
            DataError: the files are damaged.
        """
        at = self._first_sense(word)
        for _ in range(steps):
            if at is None or (at := self._above(at)) is None:
                return None
            lemma = self._lemma(at)
            if key(lemma) != key(word) and allowed(lemma):
                return lemma
        return None

    def _first_sense(self, word: str) -> int | None:
        name = key(word).replace(" ", "_")
        if name in _PRONOUNS:
            return None
        for form in (name, *self._singulars(name)):
            if (at := self._senses.get(form)) is not None:
                return at
        return None

    def _singulars(self, name: str) -> Iterator[str]:
        yield from self._irregular.get(name, ())
        for ending, instead in _ENDINGS:
            if name.endswith(ending):
                yield name.removesuffix(ending) + instead

    @cached_property
    def _senses(self) -> dict[str, int]:
        """Place in `data.noun` of the first sense, by lemma in small letters."""
        senses: dict[str, int] = {}
        for number, line in enumerate(self._lines("index.noun"), start=1):
            if line.startswith(" "):
                continue  # the licence
            try:
                # lemma, "n", senses, kinds of pointers, these, senses again, tagged ones, places
                fields = line.split()
                senses[fields[0]] = int(fields[6 + int(fields[3])])
            except (IndexError, ValueError) as error:
                raise self._damaged("index.noun", f"line {number}") from error
        return senses

    @cached_property
    def _irregular(self) -> dict[str, tuple[str, ...]]:
        if not (self._folder / "noun.exc").is_file():
            return {}
        lines = (line.split() for line in self._lines("noun.exc"))
        return {fields[0]: tuple(fields[1:]) for fields in lines if fields}

    @cached_property
    def _synsets(self) -> bytes:
        return (self._folder / "data.noun").read_bytes()

    def _fields(self, at: int) -> list[str]:
        """The fields of the synset at a place, without its gloss."""
        line, _, _ = self._synsets[at : self._synsets.find(b"\n", at)].partition(b"|")
        fields = line.decode("utf-8", "replace").split()
        if len(fields) < 6 or not fields[0].isdecimal() or int(fields[0]) != at:
            raise self._damaged("data.noun", f"byte {at}")
        return fields

    def _lemma(self, at: int) -> str:
        return self._fields(at)[4].replace("_", " ")

    def _above(self, at: int) -> int | None:
        """The place of the first hypernym: of a kind before that of an instance."""
        fields = self._fields(at)
        try:
            # behind the words: how many pointers; of each symbol, place, part of speech, words
            count, *pointers = fields[4 + 2 * int(fields[3], 16) :]
            symbols, places = pointers[: 4 * int(count) : 4], pointers[1 : 4 * int(count) : 4]
            found = next((int(places[symbols.index(up)]) for up in _UP if up in symbols), None)
        except (IndexError, ValueError) as error:
            raise self._damaged("data.noun", f"byte {at}") from error
        return found

    def _lines(self, name: str) -> Iterator[str]:
        with (self._folder / name).open(encoding="utf-8", errors="replace") as lines:
            yield from lines

    def _damaged(self, name: str, place: str) -> DataError:
        return DataError(
            f"{self._folder / name} is no data file of WordNet at {place}; fetch it anew"
        )
