"""Occupation of people, from one line on each: WordNet's instances of occupations.

Source: WordNet 3.1, Princeton University; a synset that is an instance of an occupation is a
person, and its gloss a biography ("English poet (1795-1821)").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from burnish.data.examples import Examples
from burnish.data.sets.parts import Parts, split, text_key
from burnish.data.wordnet import INSTANCE_HYPERNYM, Synset, read_synsets

GROUPS = {
    "writing": ("writer", "poet", "dramatist"),
    "state": ("statesman", "general", "king", "politician"),
    "science": ("physicist", "chemist", "mathematician", "astronomer", "biologist"),
    "visual": ("painter", "sculptor", "architect", "film maker"),
    "music": ("composer", "singer", "musician", "conductor"),
    "stage": ("actor", "actress", "dancer"),
}
_TEST = 0.3
_DATES = re.compile(r"\([^()]*\d[^()]*\)")
_GAP = re.compile(r"\s+(?=[,;.:)])|(?<=\()\s+")


def read(folder: Path) -> Parts:
    """The set from an asset's folder, in parts of our own; ids are offsets in `data.noun`.

    A person whose occupations are of two groups is left out. Dates in parentheses, and every name
    of an occupation that makes a class, are deleted, in the plural too. Many lines come to the
    same words then ("British"); they stay, but all that are alike are in one part.
    """
    synsets = read_synsets(folder / "dict")
    heads = _heads(synsets.values())
    people = {
        person.offset: groups.pop()
        for person in synsets.values()
        if len(groups := {heads[of] for of in person.related(INSTANCE_HYPERNYM) if of in heads})
        == 1
    }
    named = _pattern(lemma for head in heads for lemma in synsets[head].lemmas)
    texts = {offset: _cleaned(synsets[offset].gloss, named) for offset in people}
    kept = [offset for offset, text in texts.items() if text_key(text)]
    names = tuple(GROUPS)
    examples = Examples(
        task="classification",
        ids=tuple(kept),
        texts=tuple(texts[offset] for offset in kept),
        labels=tuple(names.index(people[offset]) for offset in kept),
        label_names=names,
    )
    note = (
        f"what WordNet says of {len(kept):,} people in a line each; the class is their occupation, "
        "in six groups. Dates in parentheses and the names of the occupations were deleted, and "
        "people of two groups left out. The parts are ours; lines that come to the same words are "
        "in one part"
    )
    return Parts(*split(examples, _TEST, [text_key(text) for text in examples.texts]), note)


def _heads(synsets: Iterable[Synset]) -> dict[int, str]:
    """Group of each synset that is a class; of a word's meanings, the one with most instances."""
    group_of = {head: group for group, heads in GROUPS.items() for head in heads}
    meanings: dict[str, list[int]] = {head: [] for head in group_of}
    instances: dict[int, int] = {}
    for synset in synsets:
        for lemma in synset.lemmas:
            if lemma in meanings:
                meanings[lemma].append(synset.offset)
        for kind in synset.related(INSTANCE_HYPERNYM):
            instances[kind] = instances.get(kind, 0) + 1
    return {
        max(found, key=lambda offset: instances.get(offset, 0)): group_of[head]
        for head, found in meanings.items()
    }


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Whole words, in any case, plural included; of two that begin alike the longer."""
    longest = sorted(set(names), key=lambda name: (-len(name), name))
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest))})(?:e?s)?\b", re.I)


def _cleaned(gloss: str, named: re.Pattern[str]) -> str:
    plain = named.sub(" ", _DATES.sub(" ", gloss))
    return _GAP.sub("", " ".join(plain.split())).strip(" ,;:")
