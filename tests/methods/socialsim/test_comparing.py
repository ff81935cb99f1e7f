"""Countermeasures beside none, the same whatever runs them."""

from __future__ import annotations

from burnish.methods.socialsim.comparing import SHOWN, compare, told, write_page
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.kept import effect_between, runs_in
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.variants import scenario_of
from burnish.methods.socialsim.world import BlueKind, BlueMeasure

WORLD = scenario_of(SocialsimConfig()).world  # its own countermeasure must not count
PLANS = {
    "down-rank": BlueMeasure(kind=BlueKind.DOWNRANK, delay=1, factor=0.0),
    "rate_limit": BlueMeasure(kind=BlueKind.RATE_LIMIT, cap=0),
}
SIM = Simulation(world=WORLD, n_agents=300, seed=7)


def test_one_and_two_workers_find_the_same(tmp_path):
    one = compare(SIM, 24, PLANS, seeds=2, keep=tmp_path)
    two = compare(SIM, 24, PLANS, seeds=2, workers=2)
    assert repr(one) == repr(two)  # NaN is not equal to itself
    assert list(one.effects) == list(PLANS)
    assert one.seeds == 2
    kept = effect_between(runs_in(tmp_path / "down-rank"), runs_in(tmp_path / "none"), seed=7)
    shown = {effect.metric: effect for effect in kept}
    for effect in one.effects["down-rank"]:
        assert effect.changed == shown[effect.metric].changed
        assert effect.unchanged == shown[effect.metric].unchanged


def test_who_may_do_nothing_is_restricted_and_reposts_nothing():
    found = compare(SIM, 24, PLANS, seeds=1)
    effects = {effect.metric: effect for effect in found.effects["rate_limit"]}
    assert effects["true_reposts"].changed == 0 < effects["true_reposts"].unchanged
    assert effects["people_restricted_percent"].difference.estimate > 5


def test_only_outcomes_that_a_page_tells_are_told():
    rows = [{"posts": 3.0, "true_views": 2.0}]
    assert [effect.metric for effect in told(rows, rows, seed=2**40)] == ["true_views"]
    assert "posts" not in SHOWN


def test_the_page_names_every_countermeasure_and_what_is_not_valid(tmp_path):
    found = compare(SIM, 6, PLANS, seeds=1)
    page = write_page("A & B", found, tmp_path / "p.html", unvalidated="unvalidated: x").read_text()
    assert "A &amp; B: countermeasures" in page
    assert "down rank" in page
    assert "rate limit" in page
    assert "unvalidated: x" in page
    assert "collateral" in page
