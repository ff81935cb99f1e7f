"""The shipped lexicon against labels that were written before it, and its file format."""

from collections import Counter
from pathlib import Path

import pytest

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.annotation import CATEGORIES, NONE, key
from burnish.methods.nlpguard.lexicon import Lexicon

LABELLED = Path(__file__).with_name("labelled_words.tsv")


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon("equality-act-2010")


def labelled():
    lines = [x for x in LABELLED.read_text("utf-8").splitlines() if not x.startswith("#")]
    return [line.split("\t") for line in lines[1:]]


def label_of(lexicon, word, *sentences):
    (annotation,) = lexicon.annotate([word], {word: sentences})
    return annotation.category


def test_there_are_300_labelled_words_half_of_them_protected():
    words = labelled()
    assert len({key(word) for word, *_ in words}) == 300
    assert sum(label == NONE for _, label, _ in words) == 150
    assert {label for _, label, _ in words} == {*CATEGORIES, NONE}


def test_precision_and_recall_on_the_labelled_words(lexicon):
    words = labelled()
    said = lexicon.annotate([word for word, *_ in words])
    hits = [(a, label, also) for a, (_, label, also) in zip(said, words, strict=True)]
    both = sum(a.protected and label != NONE for a, label, _ in hits)
    assert both / sum(a.protected for a, *_ in hits) >= 0.9
    assert both / 150 >= 0.9
    right = sum(a.category in (label, also) for a, label, also in hits if label != NONE)
    assert right / 150 >= 0.9


def test_it_covers_all_nine_categories(lexicon):
    counts = Counter(entry.category for entry in lexicon.entries)
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 50
    assert sum(counts.values()) >= 800
    assert sum(" " in entry.term for entry in lexicon.entries) >= 100


def test_it_names_its_sources(lexicon):
    assert lexicon.name == "equality-act-2010"
    assert any("Equality Act 2010 (UK)" in source for source in lexicon.sources)
    assert any("Code of Practice" in source for source in lexicon.sources)


@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("Actresses", "sex"),
        ("woman's", "sex"),
        ("women\u2019s", "sex"),
        ("girls'", "sex"),
        ("African-American", "race"),
        ("sri lankan", "race"),
        ("wheelchair users", "disability"),
        ("civil partner", "marriage and civil partnership"),
        ("trans women", "gender reassignment"),
        ("irish-born", "race"),
        ("82-year-old", "age"),
        ("white-collar", NONE),
        ("U.S.", "race"),
        ("UK", "race"),
        ("U.K", "race"),
        ("northern ireland", "race"),
        ("hong kong", "race"),
        ("hebrew", "religion and belief"),
        ("stepdad", "sex"),
        ("airwomen", "sex"),
        ("long covid", "disability"),
        ("cohabiting", "marriage and civil partnership"),
        ("trans women of colour", "gender reassignment"),
        ("nan", NONE),
        ("us", NONE),
        ("transport", NONE),
        ("manual", NONE),
        ("", NONE),
    ],
)
def test_inflections_phrases_and_compounds(lexicon, word, category):
    assert label_of(lexicon, word) == category


@pytest.mark.parametrize(
    ("word", "sentence", "category"),
    [
        ("polish", "He met a Polish painter in Rome.", "race"),
        ("polish", "He used shoe polish on his boots.", NONE),
        ("polish", "a polish composer", "race"),  # no capitals anywhere: as on its own
        ("turkey", "They ate roast turkey in December.", NONE),
        ("turkey", "She moved from Turkey to Spain.", "race"),
        ("black", "A black hole swallowed it.", NONE),
        ("black", "Two black men were stopped.", "race"),
        ("straight", "Walk straight ahead.", NONE),
        ("straight", "Gay and straight couples came.", "sexual orientation"),
        ("may", "It may rain in May.", NONE),
        ("frank", "We met Frank in town.", NONE),
        ("chad", "A friend called Chad came.", NONE),
        ("finn", "so Finn left", NONE),
        ("jordan", "a song of Jordan and Sue", NONE),
        ("jordan", "He fled to Jordan.", "race"),
        ("old", "An old house.", NONE),
        ("pole", "The bishop was a Pole by birth.", "race"),
        ("pole", "A pole of wood.", NONE),
        ("race", "discrimination by race and class", "race"),
        ("race", "He won the race.", NONE),
        ("nan", "the value is NaN", NONE),
        ("nan", "Her nan and grandad came.", "sex"),
        ("poc", "a PoC of the software", NONE),
        ("poc", "a community of POC writers", "race"),
        ("post-op", "post-op care of the knee", NONE),
        ("post-op", "a post-op trans woman", "gender reassignment"),
        ("latin", "a Latin grammar", NONE),
        ("latin", "the Latin community", "race"),
        ("engaged", "engaged in trade", NONE),
        ("engaged", "the engaged couple", "marriage and civil partnership"),
        ("depressed", "depressed areas", NONE),
        ("age", "the bronze age", NONE),
        ("age", "fired for her age", "age"),
        ("sex", "sex discrimination", "sex"),
        ("christmas", "a Christmas tree", NONE),
        ("ottoman", "a velvet ottoman footstool", NONE),
    ],
)
def test_sentences_decide_what_is_ambiguous(lexicon, word, sentence, category):
    assert label_of(lexicon, word, sentence) == category


def test_a_word_that_is_mostly_part_of_a_phrase_has_its_category(lexicon):
    places = ["United States painter", "The United States and other states", "a state"]
    (states,) = lexicon.annotate(["states"], {"states": places})
    assert (states.category, states.votes) == ("race", ("race", "race", NONE))
    assert states.rationale == "part of 'united states' in 2 of 3 places"
    assert label_of(lexicon, "states", "three states", "the United States") == NONE
    assert label_of(lexicon, "states") == NONE


def test_contexts_vote_and_a_tie_leaves_the_default(lexicon):
    hole, men = "A black hole.", "Two black men."
    (most,) = lexicon.annotate(["black"], {"black": [hole, hole, men, "It was black."]})
    assert (most.category, most.votes) == (NONE, (NONE, NONE, "race"))
    assert most.score == pytest.approx(2 / 3)
    (tied,) = lexicon.annotate(["black"], {"black": [hole, men]})
    assert (tied.category, tied.score) == ("race", 0.5)
    assert "a colour of things" in tied.rationale


def test_a_capital_at_the_beginning_says_nothing(lexicon):
    for sentence in ("Pole of wood.", "It broke. Pole and all.", "POLE OF WOOD", "\u201cPole"):
        (annotation,) = lexicon.annotate(["pole"], {"pole": [sentence]})
        assert annotation.votes == ()


def test_ambiguous_words_that_need_a_context_are_no_terms(lexicon):
    assert {"may", "straight", "jordan", "pole"}.isdisjoint(lexicon.terms)
    assert lexicon.terms["black"] == "race"
    assert all(lexicon.entry(word).note for word in ("may", "straight", "jordan", "old", "turkey"))
    assert lexicon.protected["sri lankan"] == "race"


def test_pairs_go_inflection_by_inflection(lexicon):
    for left, right in [("king", "queen"), ("kings", "queens"), ("he's", "she's"), ("mr", "mrs")]:
        assert lexicon.pairs[left] == right
    assert lexicon.pairs["actresses"] == "actors"
    assert lexicon.pairs["heroines"] == "heroes"
    assert lexicon.pairs["him"] == "her"
    assert "actors" not in lexicon.pairs


def test_a_counterpart_that_is_an_entry_has_the_category_of_its_pair(lexicon):
    for left, right in lexicon.pairs.items():
        other = lexicon.entry(right)
        assert other is None or other.category == lexicon.entry(left).category, (left, right)


def test_a_pair_goes_both_ways_where_both_are_entries(lexicon):
    """Or one counterfactual undoes another; several may share a counterpart (mum, mom and dad)."""
    for entry in lexicon.entries:
        other = lexicon.entry(entry.pair[0]) if entry.pair else None
        assert other is None or other.pair, (entry.term, entry.pair)


def test_groups_hold_what_may_be_swapped(lexicon):
    assert {"french", "german"} <= set(lexicon.groups["nationality-adjective"])
    assert {"germans", "italians"} <= set(lexicon.groups["nationality-adjective plural"])
    assert {"france", "sri lanka"} <= set(lexicon.groups["nationality-country"])
    assert "jordan" not in lexicon.groups["nationality-country"]
    assert lexicon.group_of["jordan"] == "nationality-country"
    for terms in lexicon.groups.values():
        assert len({lexicon.entry(term).category for term in terms}) == 1


def read(tmp_path, text):
    path = tmp_path / "mine.tsv"
    path.write_text(text, encoding="utf-8")
    return Lexicon(path)


def test_a_lexicon_of_ones_own_needs_two_columns(tmp_path):
    mine = read(tmp_path, "# source: me\nterm\tcategory\n\nFrauen\tsex\nItaliener\trace\n")
    assert mine.name == "mine"
    assert mine.sources == ("me",)
    assert label_of(mine, "FRAUEN") == "sex"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("word\tcategory\n", "the columns are term and category"),
        ("term\tcategory\nx\trase\n", "line 2: 'rase' is no category; did you mean 'race'"),
        ("#\nterm\tcategory\n \trace\n", "line 3: a term needs a letter"),
        ("term\tcategory\nx\trace\ty\n", "line 2: 3 fields for 2 columns"),
        ("term\tcategory\talone\nx\trace\tmaybe\n", "line 2: alone is yes or no, got 'maybe'"),
        ("term\tcategory\nx y\trace\nX-Y\tsex\n", "'X-Y' is both 'x y' and of its own"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_unknown_names_and_other_encodings_are_refused(tmp_path):
    with pytest.raises(UsageError, match="did you mean 'equality-act-2010'"):
        Lexicon("equality-act")
    with pytest.raises(UsageError, match="there is no lexicon and no file"):
        Lexicon("../lexicons/equality-act-2010")
    (tmp_path / "latin.tsv").write_bytes("term\tcategory\nfiancé\tsex\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8"):
        Lexicon(tmp_path / "latin.tsv")
