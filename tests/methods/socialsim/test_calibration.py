"""From probes to a rule: exact where the core agent is a rule, and never worse than roles alone."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from burnish.errors import ChatError, DataError, UsageError
from burnish.methods.socialsim.calibration import (
    Answers,
    calibrate,
    calibration_error,
    js_divergence,
    load_calibration,
    role_marginal,
)
from burnish.methods.socialsim.calls import Book, KeptThinker
from burnish.methods.socialsim.llm_policy import LlmPolicy, LlmSettings
from burnish.methods.socialsim.personas import Persona
from burnish.methods.socialsim.population import populate
from burnish.methods.socialsim.probes import features, subjects, without_labels
from burnish.methods.socialsim.probing import ask
from burnish.methods.socialsim.rule_policy import FEATURES, RulePolicy
from burnish.methods.socialsim.schema import ActionKind, Role
from burnish.methods.socialsim.scripted_core import ScriptedThinker
from burnish.methods.socialsim.stance import Lexicon
from burnish.methods.socialsim.world import PopulationSettings

MIXED = PopulationSettings(
    vulnerable=0.3, trolls=0.1, bots=0.1, operators=0.1, outlets=0.1, fact_checkers=0.1
)
AGREE, REPOST = FEATURES.index("agree"), ActionKind.REPOST - 1


CODES = ("C1", "C2", "C3")


def probes(n=30, items=40, claims=CODES):
    agents = populate(MIXED, n, 0, seed=5)
    people = [Persona.of(agents, row) for row in range(n)]
    return subjects(people, items=items, claims=claims, rng=np.random.default_rng(2))


def policy(thinker, **settings):
    kept = KeptThinker(Book(), thinker)
    return LlmPolicy(kept, RulePolicy(), Lexicon(CODES), settings=LlmSettings(**settings))


@pytest.fixture(scope="module")
def scripted():
    """Answers of a core agent that is a formula, and the rule that was fitted to them."""
    core = policy(ScriptedThinker(agree=1.4, shares=0.5, trust=0.7, seen=-0.35), temperature=0.7)
    answers = ask(core, probes())
    return answers, calibrate(answers, core="scripted", seed=1)


def random_answers(seed, personas=12, each=25):
    rng = np.random.default_rng(seed)
    n = personas * each
    labelled = rng.random(n) < 0.4
    return Answers(
        rng.random((n, len(FEATURES))),
        np.repeat(rng.integers(0, 3, personas), each),
        np.repeat(np.arange(personas), each),
        labelled,
        rng.dirichlet([20, 3, 2, 1, 1, 1], n),
    )


def test_a_core_agent_that_is_a_rule_is_recovered(scripted):
    answers, found = scripted
    weights = np.asarray(found.weights)
    assert weights[REPOST, 1 + AGREE] == pytest.approx(1.4 / 0.7, abs=0.1)
    assert weights[REPOST, 1 + FEATURES.index("shares")] == pytest.approx(0.5 / 0.7, abs=0.03)
    assert weights[REPOST, 1 + FEATURES.index("seen")] == pytest.approx(-0.35 / 0.7, abs=0.03)
    assert found.quality.js_nats < 2e-4
    assert found.quality.ece < 0.005
    assert found.quality.js_nats < found.quality.marginal_js_nats / 20
    assert found.agreement.low < 2.0 < found.agreement.high
    assert found.probes == len(answers) == 1200


def test_the_rule_policy_takes_the_coefficients(scripted):
    answers, found = scripted
    rule = found.coefficients()
    design = np.column_stack([np.ones(len(answers)), answers.features])
    logits = design @ rule.table().T + rule.by_role()[answers.roles]
    odds = np.exp(logits)
    expected = odds / (1 + odds.sum(axis=1, keepdims=True))
    actual = found.probabilities(answers.features, answers.roles)[:, 1:]
    assert actual == pytest.approx(expected, abs=1e-12)


def test_what_is_hidden_from_core_agents_gets_no_weight(scripted):
    weights = np.asarray(scripted[1].weights)
    assert weights[:, 1 + FEATURES.index("false")] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_answers_at_random_are_met_no_worse_than_by_role_alone(seed):
    found = calibrate(random_answers(seed), core="noise", seed=seed)
    assert found.quality.js_nats <= found.quality.marginal_js_nats * 1.02


def test_folds_and_the_held_out_part_are_whole_personas(scripted):
    quality = scripted[1].quality
    assert quality.probes == 6 * 40
    assert set(quality.by_label) == {"labelled", "plain"}
    assert set(quality.by_role) <= {role.name.lower() for role in Role}


def test_a_label_that_a_core_agent_heeds_shows_in_the_report():
    answers = ask(policy(ScriptedThinker(label=1.0), temperature=1.0), probes(12, 30))
    found = calibrate(answers, core="x", seed=0)
    assert found.label_effect.high < -0.4


def test_the_same_seed_gives_the_same_file(scripted, tmp_path):
    answers, found = scripted
    for name, one in (("a", found), ("b", calibrate(answers, core="scripted", seed=1))):
        one.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert load_calibration(tmp_path / "a") == found


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": 2}, "has format 2, expected 1"),
        ({"features": ["agree"]}, "other features"),
        ({"weights": [[1.0]]}, "lacks a part of a calibration"),
        ({"weights": None}, "lacks a part of a calibration"),
        ({"quality": {"x": 1}}, "lacks a part of a calibration"),
        ({"temperature": "warm"}, "lacks a part of a calibration"),
    ],
)
def test_other_files_are_refused(scripted, tmp_path, change, complaint):
    path = tmp_path / "rule.json"
    scripted[1].save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=complaint):
        load_calibration(path)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', "{" * 10, "NaN"])
def test_what_is_no_calibration_is_refused(tmp_path, content):
    path = tmp_path / "rule.json"
    path.write_text(content)
    with pytest.raises(DataError, match="calibrate anew"):
        load_calibration(path)
    with pytest.raises(DataError, match="cannot be read"):
        load_calibration(tmp_path / "absent.json")


def test_a_weight_that_is_not_finite_is_refused(scripted, tmp_path):
    path = tmp_path / "rule.json"
    scripted[1].save(path)
    plain = json.loads(path.read_text())
    plain["weights"][0][0] = math.nan
    path.write_text(json.dumps(plain))
    with pytest.raises(DataError, match="not finite"):
        load_calibration(path)


def test_the_divergence_by_hand():
    p, q = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.0, 1.0]])
    assert js_divergence(p, q) == pytest.approx([0, math.log(2)], abs=1e-9)
    mixed = js_divergence(np.array([[0.8, 0.2]]), np.array([[0.4, 0.6]]))
    by_hand = 0.5 * (
        0.8 * math.log(0.8 / 0.6)
        + 0.2 * math.log(0.2 / 0.4)
        + 0.4 * math.log(0.4 / 0.6)
        + 0.6 * math.log(0.6 / 0.4)
    )
    assert mixed == pytest.approx(by_hand)


def test_the_calibration_error_by_hand():
    target = np.tile([0.7, 0.3], (20, 1))
    assert calibration_error(target, target) == 0
    assert calibration_error(np.tile([0.9, 0.1], (20, 1)), target) == pytest.approx(0.2)


def test_the_baseline_knows_roles_and_falls_back_on_everyone():
    answers = random_answers(0)
    found = role_marginal(answers, np.array([0, 6]))
    assert found[0] == pytest.approx(answers.probabilities[answers.roles == 0].mean(axis=0))
    assert found[1] == pytest.approx(answers.probabilities.mean(axis=0))


def test_too_few_personas_are_refused():
    with pytest.raises(UsageError, match="more than 5 personas, got 5"):
        calibrate(random_answers(0, personas=5), core="x", seed=0)


def test_answers_must_pair_up_and_sum_to_one():
    good = random_answers(0)
    parts = [good.features, good.roles, good.persona, good.labelled]
    with pytest.raises(UsageError, match="sum to 1"):
        Answers(*parts, good.probabilities * 2)
    with pytest.raises(UsageError, match="row by row"):
        Answers(*parts, good.probabilities[:-1])


def test_probes_are_stratified():
    table = np.concatenate([features(subject) for subject in probes(10, 60)])
    spread = np.corrcoef(table[:, [AGREE, FEATURES.index("shares"), FEATURES.index("seen")]].T)
    assert np.abs(spread - np.eye(3)).max() < 0.12
    items = [item for subject in probes(4, 60) for item in subject.items]
    assert np.mean([item.marked for item in items]) == pytest.approx(0.5)
    assert np.histogram([i.stance for i in items], 10, (-1, 1))[0] == pytest.approx(24, abs=5)


def test_probes_without_labels_differ_in_nothing_else():
    subject = probes(1, 20)[0]
    plain = without_labels(subject)
    assert not any(item.marked for item in plain.items)
    assert [item.stance for item in plain.items] == [item.stance for item in subject.items]


def test_probes_need_somebody_to_ask():
    with pytest.raises(UsageError, match="personas and items, got 0 and 3"):
        subjects([], items=3, claims=["C1"], rng=np.random.default_rng(0))


def test_subjects_whose_model_fails_are_left_out():
    class Failing(ScriptedThinker):
        def weigh(self, opening, questions, labels):
            if "account 1 " in opening or self._says == "never":
                raise ChatError("no answer today")
            return super().weigh(opening, questions, labels)

    answers = ask(policy(Failing()), probes(4, 5))
    assert sorted(set(answers.persona)) == [0, 2, 3]
    with pytest.raises(ChatError, match=r"answered no probe: the model failed: .*no answer today"):
        ask(policy(Failing(says="never")), probes(2, 3))
