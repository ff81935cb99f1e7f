"""Jobs that ask a language model: calibration, a world of core agents alone, a hybrid world."""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from burnish.methods.socialsim.calibration import Calibration, calibrate, load_calibration
from burnish.methods.socialsim.calls import Book, KeptThinker
from burnish.methods.socialsim.cascade_trees import cascades
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.core_agents import choose_core
from burnish.methods.socialsim.llm_policy import LlmPolicy
from burnish.methods.socialsim.loop import Core, Run, Simulation
from burnish.methods.socialsim.personas import Persona
from burnish.methods.socialsim.probes import subjects
from burnish.methods.socialsim.probing import ask
from burnish.methods.socialsim.rule_policy import RulePolicy
from burnish.methods.socialsim.scenario import Scenario
from burnish.methods.socialsim.scripted_core import ScriptedThinker
from burnish.methods.socialsim.stance import Lexicon
from burnish.methods.socialsim.thinking import LocalThinker, Thinker
from burnish.methods.socialsim.variants import NONE, scenario_of, variant_named
from burnish.methods.socialsim.work import world_seed
from burnish.models import load_causal_lm
from burnish.models.options import has_bfloat16
from burnish.training import derive

SCRIPTED = "scripted"


def thinker_of(config: SocialsimConfig) -> Thinker:
    """The model behind core agents; loads it."""
    if config.model == SCRIPTED:
        return ScriptedThinker()
    fast = config.precision == "bfloat16" or (config.precision == "auto" and has_bfloat16())
    return LocalThinker(load_causal_lm(config.model, dtype="bfloat16" if fast else "float32"))


def lexicon_of(scenario: Scenario) -> Lexicon:
    """Reads a claim by its code, or by the words that only its line in the scenario has."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = {
        claim.code: frozenset(
            word.strip(".,;:!?\"'").lower() for word in line.split() if len(word) > 3
        )
        - ENGLISH_STOP_WORDS
        for claim, line in zip(scenario.world.claims, scenario.about, strict=True)
    }
    own = {
        code: mine - frozenset().union(*(other for name, other in words.items() if name != code))
        for code, mine in words.items()
    }
    return Lexicon(tuple(words), own)


def calibration_file(home: Path) -> Path:
    """Where the fitted rule is kept."""
    return home / "calibration.json"


def probe_and_fit(
    config: SocialsimConfig, seed: int, home: Path, thinker: Thinker
) -> dict[str, Any]:
    """Probe core agents, fit the rule to them, and keep it."""
    scenario = scenario_of(config)
    kept = KeptThinker(Book(home / "probes.jsonl"), thinker)
    policy = LlmPolicy(kept, RulePolicy(), lexicon_of(scenario))
    begun = time.perf_counter()
    answers = ask(
        policy,
        subjects(
            _personas(config, seed),
            items=config.probe_items,
            claims=[claim.code for claim in scenario.world.claims],
            rng=np.random.default_rng(derive(seed, "probes")),
        ),
    )
    seconds = time.perf_counter() - begun
    found = calibrate(answers, core=thinker.identity, seed=derive(seed, "calibrate") % 2**32)
    found.save(calibration_file(home))
    return _told(found) | {"seconds": seconds}


def everyone(config: SocialsimConfig, seed: int, home: Path, thinker: Thinker) -> dict[str, Any]:
    """Cascades of a small world that the model decides, and of the same world by the rule.

    `ks` and `mean_sizes` are None where nobody posted.
    """
    from scipy.stats import ks_2samp

    rule = RulePolicy(coefficients=load_calibration(calibration_file(home)).coefficients())
    plain = _world(config, seed, config.all_llm_agents)
    ticks = config.all_llm_hours
    agents = np.arange(config.all_llm_agents + plain.extra, dtype=np.uint32)
    policy = _policy(config, home / "all.jsonl", thinker, rule)
    begun = time.perf_counter()
    by_model = replace(plain, core=Core(policy, agents), policy=rule).run(ticks)
    seconds = time.perf_counter() - begun
    by_rule = replace(plain, policy=rule).run(ticks)
    sizes = [cascades(run.table("posts")).size for run in (by_model, by_rule)]
    return {
        "ks": float(ks_2samp(*sizes).statistic) if all(map(len, sizes)) else None,
        "cascades": [len(own) for own in sizes],
        "mean_sizes": [float(own.mean()) if len(own) else None for own in sizes],
        "seconds": seconds,
        **_tally(policy),
    }


def hybrid(config: SocialsimConfig, seed: int, home: Path, thinker: Thinker) -> dict[str, Any]:
    """A large world with core agents, and whether their kept calls alone give the same bytes.

    `same_bytes` is None where there were no calls.
    """
    rule = RulePolicy()
    if calibration_file(home).exists():
        rule = RulePolicy(coefficients=load_calibration(calibration_file(home)).coefficients())
    plain = _world(config, seed, config.core_agents)
    core = choose_core(plain.fresh(), config.core)
    calls, folders = home / "hybrid.jsonl", [home / "runs" / name for name in ("hybrid", "again")]
    asked = _policy(config, calls, thinker, rule)
    begun = time.perf_counter()
    first = _run_fresh(replace(plain, core=Core(asked, core)), config.core_hours, folders[0])
    seconds = time.perf_counter() - begun
    asked_for = first.table("llm_calls").num_rows
    same = None  # core agents that slept asked nothing that could be told again
    if asked_for:
        told = _policy(config, calls, None, rule)
        _run_fresh(replace(plain, core=Core(told, core)), config.core_hours, folders[1])
        same = _digest(folders[0]) == _digest(folders[1])
        shutil.rmtree(folders[1])
    return {
        "seconds": seconds,
        "same_bytes": same,
        "core": len(core),
        "calls": asked_for,
        **_tally(asked),
    }


def _run_fresh(simulation: Simulation, ticks: int, folder: Path) -> Run:
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed; calls are kept
    return simulation.run(ticks, folder)


def _policy(
    config: SocialsimConfig, calls: Path, thinker: Thinker | None, rule: RulePolicy
) -> LlmPolicy:
    return LlmPolicy(KeptThinker(Book(calls), thinker), rule, lexicon_of(scenario_of(config)))


def _world(config: SocialsimConfig, seed: int, agents: int) -> Simulation:
    variant = variant_named(NONE, config)
    return variant.simulation(agents, world_seed(seed, 0))


def _personas(config: SocialsimConfig, seed: int) -> list[Persona]:
    state = _world(config, seed, max(2000, config.personas)).fresh()
    return [Persona.of(state.agents, int(who)) for who in choose_core(state, config.personas)]


def _tally(policy: LlmPolicy) -> dict[str, Any]:
    tally = policy.tally
    return {
        "sessions": tally.sessions,
        "fallbacks": tally.fallbacks,
        "items": tally.items,
        "texts": tally.texts,
        "templates": tally.templates,
    }


def _digest(folder: Path) -> str:
    """Of every table's file, names included."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*.parquet")):
        found.update(str(file.relative_to(folder)).encode())
        found.update(file.read_bytes())
    return found.hexdigest()


def _told(found: Calibration) -> dict[str, Any]:
    quality = found.quality
    return {
        "js_nats": quality.js_nats,
        "marginal_js_nats": quality.marginal_js_nats,
        "ece": quality.ece,
        "by_role": dict(quality.by_role),
        "by_label": dict(quality.by_label),
        "held_out": quality.probes,
        "probes": found.probes,
        "ridge": found.ridge,
        "temperature": found.temperature,
        "agreement": [found.agreement.estimate, found.agreement.low, found.agreement.high],
        "label_effect": [
            found.label_effect.estimate,
            found.label_effect.low,
            found.label_effect.high,
        ],
    }
