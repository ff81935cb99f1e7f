import json
import time
from itertools import pairwise
from xml.parsers.expat import ParserCreate
from zlib import crc32

import pytest
import yaml

from burnish.errors import UsageError
from burnish.methods.structext.generate import build, iter_build
from burnish.methods.structext.rules import LANGUAGES, RULES
from burnish.methods.structext.sample import SIMPLE
from burnish.methods.structext.solver import solve, verify

PROFILES = ("official", "corrected")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_200_items_of_every_rule_are_solved_from_the_text(profile, language):
    cells = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)]
    suite = build(languages=[language], grid=cells, n=40, seed=11, profile=profile)
    assert min(sum(s.rule == rule for s in suite) for rule in {s.rule for s in suite}) == 200
    assert [sample for sample in suite if not verify(sample)] == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_few_columns_are_solved_too(profile, columns):
    suite = build(grid=[(1, 1), (1, 3), (2, 1)], columns=columns, n=10, profile=profile)
    assert all(verify(sample) for sample in suite)


def test_large_documents_are_solved():
    for profile in PROFILES:
        assert all(verify(s) for s in build(grid=[(3, 3), (2, 3)], seed=5, profile=profile))


def test_the_loops_run_as_described():
    suite = build(
        languages=["csv", "tree"], grid=[(1, 1), (2, 1)], shots=(0, 2), hints=(False, True), n=2
    )
    assert len(suite) == 2 * 2 * 2 * (3 + 4) * 2
    first = [(s.rule, bool(s.hint), s.difficulty.depth, len(s.shots)) for s in suite[:16]]
    tree = [("tree.1", False), ("tree.1", True), ("tree.2", False), ("tree.2", True)]
    assert first[:4] == [(*asked, 1, 0) for asked in tree]
    assert first[6] == ("tree.1", False, 2, 0)
    assert first[12] == ("csv.1", False, 1, 0)
    for one, other in pairwise(suite[:6]):
        assert one.text == other.text
    assert suite[0].text != suite[6].text
    assert suite[28].shots
    assert all(s.hint in ("", RULES[s.rule].hint_of("corrected")) for s in suite)


def test_leaving_rules_out_changes_no_other():
    full = [sample for sample in build(seed=4, shots=(1,)) if sample.rule in ("json.4", "csv.2")]
    assert list(build(seed=4, shots=(1,), rules=["csv.2", "json.4"])) == full
    cell = [sample for sample in build(seed=4) if sample.difficulty.depth == 2]
    assert list(build(seed=4, grid=[(2, 1)])) == cell


def test_seeds_and_passes_give_fresh_documents():
    texts = {s.text for seed in range(5) for s in build(rules=["json.1"], seed=seed, n=20)}
    assert len(texts) == 5 * 20 * 2


def test_several_workers_make_the_same_suite():
    settings = {"n": 6, "shots": (0, 1), "seed": 8}
    assert list(iter_build(**settings, workers=2)) == list(build(**settings))


def test_simple_shots_are_drawn_at_the_easy_dials():
    suite = build(
        rules=["tree.1", "latex.2"], grid=[(3, 1)], shots=(3,), simple_shots=True, n=4,
        profile="official",
    )  # fmt: skip
    for sample in suite:
        assert verify(sample)
        for shot in sample.shots:
            assert solve(shot.text, shot.question, sample.rule, SIMPLE) == shot.answer
            assert len(shot.text) < len(sample.text)
    for rule in ("tree.1", "latex.2"):
        assert len({sample.shots for sample in suite if sample.rule == rule}) == 1


def test_simple_shots_are_those_of_any_other_cell():
    settings = {"rules": ["json.2"], "shots": (2,), "simple_shots": True, "seed": 4}
    (small,) = build(grid=[(1, 1)], **settings)
    (large,) = build(grid=[(2, 2)], **settings)
    assert small.shots == large.shots


def test_no_corrected_item_is_among_its_own_shots():
    suite = build(languages=["tree"], grid=[(1, 1)], shots=(60,), n=20)
    assert all(sample.text not in {shot.text for shot in sample.shots} for sample in suite)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"languages": ["toml"]}, "unknown language 'toml'; there are: tree, csv, json"),
        ({"rules": ["json.9"]}, "unknown rule 'json.9'; there are: tree.1, tree.2"),
        ({"rules": "json.1"}, r"rules are a list, got the text 'json.1'"),
        ({"rules": ["json.1"], "languages": ["xml"]}, "none of the rules json.1 is about"),
        ({"profile": "mine"}, "unknown profile 'mine'; there are: official, corrected"),
        ({"grid": [(0, 1)]}, "depth is a whole number from 1, got 0"),
        ({"columns": 0}, "columns is a whole number from 1, got 0"),
        ({"grid": [(4, 3)]}, "has up to 22621 nodes, more than max_nodes=5000"),
        ({"grid": [(2, 1)], "max_nodes": 6}, "has up to 7 nodes, more than max_nodes=6"),
        ({"n": 0}, "n counts from 1, got 0"),
        ({"shots": (-1,)}, "shots counts from 0, got -1"),
        ({"workers": 0}, "workers counts from 1, got 0"),
        ({"grid": [(6, 1)], "languages": ["latex"], "max_nodes": 10**6}, "has 5 levels of head"),
    ],
)
def test_wrong_calls_are_refused_before_anything_is_made(settings, message):
    with pytest.raises(UsageError, match=message):
        build(**settings)
    assert issubclass(UsageError, ValueError)


@pytest.mark.parametrize("profile", PROFILES)
def test_clean_documents_are_read_by_strict_parsers(profile):
    for sample in build(rules=["json.2", "yaml.2", "xml.2"], n=30, profile=profile):
        if sample.language == "json":
            assert json.loads(sample.text)["subs"][0]["id"] == sample.answer
        elif sample.language == "yaml":
            assert yaml.safe_load(sample.text)["subs"][0]["id"] == sample.answer
        else:
            ParserCreate().Parse(sample.text, True)


def test_access_paths_work_in_python():
    for sample in build(rules=["json.4", "yaml.4"], grid=[(2, 1), (3, 1)], n=20):
        read = json.loads if sample.language == "json" else yaml.safe_load
        value = sample.question.split('"')[1]
        reached = eval(sample.answer, {"__builtins__": {}}, {"obj": read(sample.text)})  # noqa: S307
        assert reached == value


def test_corrected_tables_have_the_rows_and_an_even_spread_of_counts():
    suite = build(languages=["csv"], grid=[(1, 1), (2, 2)], n=200)
    assert {s.text.count("\n") - 2 for s in suite if s.difficulty.depth == 1} == {2 * 4}
    assert {s.text.count("\n") - 2 for s in suite if s.difficulty.depth == 2} == {2 * 16}
    for rule, counts in (("csv.2", 5), ("csv.3", 5), ("csv.4", 4)):
        answers = [s.answer for s in suite if s.rule == rule and s.difficulty.depth == 1]
        assert set(answers) == set(map(str, range(counts)))
        assert max(map(answers.count, answers)) < 1.6 * len(answers) / counts


def test_corrected_images_have_the_extension_of_their_checksum():
    extensions = ("jpeg", "png", "jpg", "gif")
    files = [
        file
        for sample in build(rules=["markdown.3"], grid=[(2, 1)], n=20)
        for file in sample.answer.split("\n")
        if " " not in file
    ]
    assert len(files) > 20
    for file in files:
        stem, extension = file.split(".")
        assert extension == extensions[crc32(stem.encode()) % 4]


def test_speed_is_what_users_wait_for():
    started = time.process_time()
    assert len(build(grid=[(1, 1)], n=35)) > 1000
    assert time.process_time() - started < 3
    build(rules=["json.1"], grid=[(3, 3)], profile="official")
    started = time.process_time()
    build(languages=["json"], grid=[(3, 3)], profile="official", seed=1)
    assert time.process_time() - started < 0.1
