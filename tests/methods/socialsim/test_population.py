from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import ConfigError
from burnish.methods.socialsim.population import circadian, populate
from burnish.methods.socialsim.schema import BIG_FIVE, Role
from burnish.methods.socialsim.world import PopulationSettings

AGENTS = populate(PopulationSettings(), 40_000, 200, seed=3)


def test_a_larger_world_repeats_a_smaller_one():
    small = populate(PopulationSettings(), 1000, 0, seed=3)
    for name in ("role", "age", "ideology", "susceptibility", "activity"):
        assert (getattr(small, name) == getattr(AGENTS, name)[:1000]).all()


def test_roles_have_their_shares():
    shares = np.bincount(AGENTS.role[:-200], minlength=7) / (len(AGENTS) - 200)
    assert shares[Role.VULNERABLE] == pytest.approx(0.15, abs=0.006)
    assert shares[Role.BOT] == pytest.approx(0.01, abs=0.002)
    assert shares[Role.TROLL] == pytest.approx(0.002, abs=0.001)


def test_about_five_percent_are_active():
    assert AGENTS.activity[:-200].mean() == pytest.approx(0.055, abs=0.01)
    assert AGENTS.activity[:-200].min() >= np.float32(0.01)
    assert AGENTS.activity.max() <= 1


def test_demographics_drive_traits():
    literacy = [AGENTS.literacy[AGENTS.education == e].mean() for e in range(4)]
    assert literacy == sorted(literacy)
    trust = [AGENTS.trust[AGENTS.age == a].mean() for a in range(6)]
    assert trust == sorted(trust)
    assert np.corrcoef(AGENTS.literacy, AGENTS.susceptibility)[0, 1] < -0.3
    vulnerable = AGENTS.role == Role.VULNERABLE
    assert (
        AGENTS.susceptibility[vulnerable].mean() > AGENTS.susceptibility[~vulnerable].mean() + 0.1
    )


def test_communities_are_quantiles_of_ideology():
    assert np.bincount(AGENTS.community).tolist() == [5000] * 8
    means = [AGENTS.ideology[AGENTS.community == c].mean() for c in range(8)]
    assert means == sorted(means)


def test_bulk_accounts_sleep_and_were_made_together():
    bulk, rest = slice(-200, None), slice(0, -200)
    assert not AGENTS.activity[bulk].any()
    assert set(AGENTS.created[bulk]) == {-48}
    assert len(set(AGENTS.created[rest] // 24)) > 2500


def test_the_table_has_what_the_schema_says():
    table = AGENTS.table()
    assert table.num_rows == len(AGENTS)
    assert (table.column("openness").to_numpy() == AGENTS.big_five[:, 0]).all()
    assert AGENTS.big_five.shape == (len(AGENTS), len(BIG_FIVE))


def test_a_day_has_the_activity_of_a_day():
    assert np.mean([circadian(t) for t in range(24)], axis=0) == pytest.approx(1, abs=1e-6)
    assert (circadian(3)[:4] < circadian(15)[:4]).sum() >= 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bots": -0.1}, "bots is a share from 0 to 1, got -0.1"),
        ({"bots": float("nan")}, "bots is a share"),
        ({"bots": 0.6, "vulnerable": 0.5}, "the sum of all roles is a share"),
        ({"attention": 0}, "attention is 1 to 64"),
        ({"activity_range": (0.5, 0.1)}, "two probabilities in order"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        PopulationSettings(**settings)


def test_without_signatures_assets_live_like_everyone_else():
    plain = populate(PopulationSettings(signatures=False, bots=0.2), 40_000, 200, seed=3)
    bots, benign = (plain.role[:-200] == role for role in (Role.BOT, Role.BENIGN))
    for name in ("activity", "circadian", "created"):
        column = getattr(plain, name)[:-200].astype(float)
        spread = column[benign].std() / np.sqrt(bots.sum())
        assert abs(column[bots].mean() - column[benign].mean()) < 4 * spread
    assert len(np.unique(plain.created[-200:])) > 150
    assert len(np.unique(AGENTS.created[-200:])) == 1
