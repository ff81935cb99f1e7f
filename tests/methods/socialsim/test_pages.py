"""Pages beside the report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burnish.methods.socialsim.arms import World
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.pages import captions_of, unvalidated, write_pages
from burnish.methods.socialsim.variants import NO_RED, PLAN, scenario_of
from burnish.methods.socialsim.work import do

CONFIG = SocialsimConfig(agents=300, hours=6, measures=("label",), label_delays=(2,), seeds=2)
MISSED = {"unshared_posts_share": False, "in_degree_heavy_tail_flag": True}


def missed_by(world, number):
    return lambda name, seed: {"holds": MISSED} if (name, seed) == (world, number) else {}


@pytest.fixture
def shown(open_run):
    """A run whose two worlds for the replay lie in its folder."""

    def make(config):
        run = open_run(config)
        home = run.artifact("worlds")
        for name in (PLAN, NO_RED):
            do(config, run.seed, home, World(name, 0))
        return run, home

    return make


def test_both_pages_are_written_and_say_what_they_show(shown, leave_worlds):
    run, home = shown(CONFIG)
    leave_worlds(home, CONFIG, missed_by(NO_RED, 1))
    write_pages(run, CONFIG, home)
    replay = run.artifact("replay.html").read_text()
    assert "Harbour rumour, Port Vellmar" in replay
    assert "The harbour water is unsafe to touch." in replay
    assert "Against the same world without the campaign" in replay
    comparison = run.artifact("comparison.html").read_text()
    assert "label at 2" in comparison
    assert "unvalidated: unshared_posts_share" in comparison


def test_without_countermeasures_there_is_nothing_to_compare(shown, leave_worlds):
    config = replace(CONFIG, measures=(), label_delays=())
    run, home = shown(config)
    leave_worlds(home, config)
    write_pages(run, config, home)
    assert run.artifact("replay.html").exists()
    assert not run.artifact("comparison.html").exists()


@pytest.mark.parametrize(
    ("fact_seeds", "world", "number", "stamp"),
    [
        (0, NO_RED, 1, "unvalidated: unshared_posts_share"),
        (0, PLAN, 0, ""),
        (2, "facts", 1, "unvalidated: unshared_posts_share"),
        (2, NO_RED, 0, ""),
    ],
)
def test_one_seed_that_misses_a_fact_is_enough_for_the_stamp(
    tmp_path, leave_worlds, fact_seeds, world, number, stamp
):
    config = replace(CONFIG, fact_seeds=fact_seeds)
    leave_worlds(tmp_path, config, missed_by(world, number))
    assert unvalidated(config, tmp_path) == stamp


def test_captions_tell_claims_by_their_code():
    captions = captions_of(scenario_of(CONFIG))
    assert captions.claims["C2"] == "The sewer upstream is being repaired this month."
    assert captions.note.startswith("A port town")
