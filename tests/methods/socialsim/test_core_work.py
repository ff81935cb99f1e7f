"""Jobs that ask a model, with a formula in its place, and once with the model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from burnish.assets import path as asset_path
from burnish.errors import AssetError
from burnish.methods.socialsim import core_work
from burnish.methods.socialsim.calibration import load_calibration
from burnish.methods.socialsim.calls import Book, KeptThinker
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.llm_policy import LlmPolicy
from burnish.methods.socialsim.loop import Core, Simulation
from burnish.methods.socialsim.rule_policy import RulePolicy
from burnish.methods.socialsim.scripted_core import ScriptedThinker
from burnish.methods.socialsim.thinking import LocalThinker
from burnish.methods.socialsim.variants import scenario_of

CONFIG = SocialsimConfig(
    model="scripted",
    core=6,
    core_agents=300,
    core_hours=4,
    personas=12,
    probe_items=20,
    all_llm_agents=40,
    all_llm_hours=4,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("core")


@pytest.fixture(scope="module")
def fitted(home):
    return core_work.probe_and_fit(CONFIG, 1, home, ScriptedThinker())


class Refusing(ScriptedThinker):
    """Must not be asked."""

    def weigh(self, opening, questions, labels):
        raise AssertionError("asked again")

    def write(self, opening, question, *, max_tokens, seed):
        raise AssertionError("asked again")


def test_probing_keeps_calls_and_rule(home, fitted):
    assert fitted["probes"] == 12 * 20
    assert json.loads(json.dumps(fitted, allow_nan=False)) == fitted
    rule = load_calibration(core_work.calibration_file(home))
    assert rule.quality.js_nats == fitted["js_nats"]
    again = core_work.probe_and_fit(CONFIG, 1, home, Refusing())
    assert again | {"seconds": 0} == fitted | {"seconds": 0}


def test_a_rule_fitted_to_a_formula_acts_like_it(fitted):
    assert fitted["js_nats"] < min(0.01, fitted["marginal_js_nats"])
    slope, low, high = fitted["agreement"]
    assert 0 < low <= slope <= high


def test_everyone_decides_by_model_and_by_rule(home, fitted):
    found = core_work.everyone(CONFIG, 1, home, ScriptedThinker())
    assert 0 <= found["ks"] <= 1
    assert min(found["cascades"]) > 0
    assert min(found["mean_sizes"]) >= 1
    assert found["sessions"] > 5
    assert found["fallbacks"] == 0


def test_a_small_world_in_which_nobody_posts_has_no_distance(home, fitted):
    few = replace(CONFIG, all_llm_agents=2, all_llm_hours=1)
    found = core_work.everyone(few, 1, home, ScriptedThinker())
    assert (found["ks"], found["cascades"], found["mean_sizes"]) == (None, [0, 0], [None, None])


def test_kept_calls_alone_give_the_hybrid_world_again(tmp_path):
    found = core_work.hybrid(CONFIG, 1, tmp_path, ScriptedThinker())
    assert found["same_bytes"] is True
    assert found["core"] == 6
    assert found["calls"] > found["sessions"] > 0
    assert not (tmp_path / "runs" / "again").exists()
    resumed = core_work.hybrid(CONFIG, 1, tmp_path, Refusing())
    assert resumed | {"seconds": 0} == found | {"seconds": 0}


def test_bytes_that_differ_are_told(tmp_path, monkeypatch):
    digests = iter(("one", "another"))
    monkeypatch.setattr(core_work, "_digest", lambda folder: next(digests))
    assert core_work.hybrid(CONFIG, 1, tmp_path, ScriptedThinker())["same_bytes"] is False


def test_core_agents_that_sleep_leave_nothing_to_tell_again(tmp_path):
    asleep = replace(CONFIG, core=1, core_hours=1)
    seed = next(s for s in range(50) if not _awake(asleep, s))
    found = core_work.hybrid(asleep, seed, tmp_path, Refusing())
    assert (found["calls"], found["sessions"], found["same_bytes"]) == (0, 0, None)


def _awake(config, seed):
    """Whether the one core agent acts in the one hour."""
    plain = core_work._world(config, seed, config.core_agents)
    (who,) = core_work.choose_core(plain.fresh(), 1)
    shown = plain.run(1).table("exposures").column("agent").to_pylist()
    acted = plain.run(1).table("actions").column("agent").to_pylist()
    return who in shown + acted


def test_the_lexicon_knows_claims_by_words_that_only_they_have():
    lexicon = core_work.lexicon_of(scenario_of(CONFIG))
    found = lexicon.read("They say the harbour water is unsafe!")
    assert found.claim == 0
    assert lexicon.read("It rains.").claim != 0


@pytest.mark.parametrize(
    ("precision", "fast", "dtype"),
    [
        ("float32", True, "float32"),
        ("auto", True, "bfloat16"),
        ("auto", False, "float32"),
        ("bfloat16", False, "bfloat16"),
    ],
)
def test_precision_follows_the_processor_where_it_is_left_open(monkeypatch, precision, fast, dtype):
    asked = []
    monkeypatch.setattr(core_work, "has_bfloat16", lambda: fast)
    monkeypatch.setattr(core_work, "load_causal_lm", lambda name, dtype: asked.append(dtype))
    monkeypatch.setattr(core_work, "LocalThinker", lambda model: model)
    core_work.thinker_of(SocialsimConfig(model="some/model", precision=precision))
    assert asked == [dtype]


def test_scripted_needs_no_model():
    assert isinstance(core_work.thinker_of(CONFIG), ScriptedThinker)


def test_the_real_model_decides_and_its_table_alone_gives_the_same_bytes(tmp_path):
    try:
        asset_path("smollm2-135m-instruct")
    except AssetError as missing:
        pytest.skip(str(missing))
    config = SocialsimConfig(precision="float32")
    scenario, thinker = scenario_of(config), core_work.thinker_of(config)
    assert isinstance(thinker, LocalThinker)
    lexicon = core_work.lexicon_of(scenario)
    plain = Simulation(world=replace(scenario.world, blue=()), n_agents=200, seed=1)
    loud = np.argsort(-plain.fresh().agents.activity, kind="stable")[:2]

    def run(kept, name):
        core = Core(LlmPolicy(kept, RulePolicy(), lexicon), np.sort(loud).astype(np.uint32))
        return replace(plain, core=core).run(4, tmp_path / name)

    asked = run(KeptThinker(Book(tmp_path / "calls.jsonl"), thinker), "asked")
    calls = asked.table("llm_calls")
    assert calls.num_rows > 2
    assert min(calls.column("prompt_tokens").to_pylist()) > 0
    run(KeptThinker(Book.of_table(calls)), "told")
    assert digests(tmp_path / "asked") == digests(tmp_path / "told")


def digests(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*.parquet")
    }
