"""From the jobs' results to the points of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from burnish.evidence import bootstrap_mean
from burnish.evidence.intervals import Interval
from burnish.methods.socialsim.arms import AllCore, Calibrate, Cost, Detect, Hybrid, Loop, World
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.twin_effects import Effect, effects
from burnish.methods.socialsim.variants import (
    FACTS,
    NO_RED,
    NONE,
    Variant,
    ranker_names,
    variants,
)
from burnish.runs import Run
from burnish.runs.jobs import read_result

Result = Mapping[str, Any]
LATE = "late_reposts"
_UNITS = {  # names of outcomes whose last word is no unit of a run
    "false_claim_reposts": "false_claim_reposts_count",
    "true_reposts": "true_reposts_count",
    "false_claim_views": "false_claim_views_count",
    "true_views": "true_views_count",
    "people_restricted": "people_restricted_count",
    "belief_shift_people": "belief_shift_score",
    "sharers": "sharers_count",
    LATE: "late_false_reposts_count",
    "false_claim_reach_percent": "false_claim_reach_percent",
    "belief_esteban_ray": "polarisation_score",
    "exposure_gini": "exposure_gini_score",
    "false_cascade_mean_depth_edges": "false_cascade_depth_score",
    "false_cascade_mean_posts": "false_cascade_size_items",
    "assets_restricted_percent": "assets_restricted_percent",
    "people_restricted_percent": "people_restricted_percent",
    "people_suspended_percent": "people_suspended_percent",
}
_FACT_UNITS = {  # the same of stylised facts
    "in_degree_heavy_tail_flag": "in_degree_heavy_tail_rate",
    "cascade_size_heavy_tail_flag": "cascade_size_heavy_tail_rate",
    "cascade_size_exponent": "cascade_size_exponent_score",
}


def outcomes_of(home: Path, variant: Variant) -> list[dict[str, float]]:
    """What each seed of a variant came to."""
    found = []
    for number in range(variant.seeds):
        result = read_result(home, World(variant.name, number).key)
        own = {**result["outcomes"], "sharers": result["sharers"], LATE: result[LATE]}
        found.append({k: math.nan if v is None else float(v) for k, v in own.items()})
    return found


def log_worlds(run: Run, home: Path, config: SocialsimConfig) -> None:
    """Every outcome of every world, and what each did against its twin."""
    every = {each.name: each for each in variants(config)}
    found = {name: outcomes_of(home, each) for name, each in every.items()}
    for name, results in found.items():
        for metric, unit in _UNITS.items():
            _log_mean(run, unit, [own[metric] for own in results], world=name)
    for name, reference in _compared(config).items():
        for effect in effects(found[name], found[reference], seed=run.seed % 2**32):
            if effect.metric in _UNITS:
                _log_effect(run, effect, name, reference)


def log_protection(run: Run, home: Path, config: SocialsimConfig) -> None:
    """Share of the campaign's shift of belief that is left under each countermeasure."""
    beside_none = [name for name, other in _compared(config).items() if other == NONE]
    shift = {
        each.name: [own["belief_shift_people"] for own in outcomes_of(home, each)]
        for each in variants(config)
        if each.name in (NO_RED, NONE, *beside_none)
    }
    for name in beside_none:
        pairs = zip(shift[name], shift[NONE], shift[NO_RED], strict=True)
        left = [100 * (own - quiet) / (none - quiet) for own, none, quiet in pairs if none != quiet]
        _log_mean(run, "belief_shift_left_percent", left, world=name)


def log_curves(run: Run, home: Path, config: SocialsimConfig) -> None:
    """Growth of reach, mean over seeds, and distributions of the first seed's cascades."""
    for variant in variants(config):
        results = [
            read_result(home, World(variant.name, number).key) for number in range(variant.seeds)
        ]
        reach = np.mean([result["reach"] for result in results], axis=0)
        for tick in range(0, len(reach), 4):
            run.log("reach_percent", round(float(reach[tick]), 4), step=tick, world=variant.name)
        for kind, curve in results[0]["sizes"].items():
            for size, share in curve:
                run.log(
                    "cascades_at_least_share",
                    share,
                    step=int(size),
                    world=variant.name,
                    stories=kind,
                )


def log_predictions(run: Run, home: Path) -> None:
    """Ratios by SEIZ and independent cascades, beside ours."""
    for model, ratios in read_result(home, World(NONE, 0).key)["predicted"].items():
        for name, ratio in ratios.items():
            run.log("predicted_sharers_ratio", ratio, world=name, model=model)


def log_facts(run: Run, home: Path, config: SocialsimConfig) -> None:
    """Stylised facts of every world that is held against them, and how many seeds show each."""
    for variant in variants(config):
        numbers = range(variant.seeds)
        results = [read_result(home, World(variant.name, number).key) for number in numbers]
        for fact in results[0]["facts"]:
            values = [result["facts"][fact] for result in results]
            known = [math.nan if value is None else value for value in values]
            _log_mean(run, _FACT_UNITS.get(fact, fact), known, world=variant.name)
            held = mean(float(result["holds"][fact]) for result in results)
            run.log("fact_holds_share", held, world=variant.name, fact=fact)


def log_detection(run: Run, home: Path, config: SocialsimConfig) -> None:
    """How well bots are found, and how well words alone would tell them."""
    for swarming in (True, False):
        results = [
            read_result(home, Detect(swarming, number).key)
            for number in range(config.detection_seeds)
        ]
        tags = {"bots": "swarming" if swarming else "idle"}
        for name in ("f1", "precision", "recall", "auroc", "text_auroc"):
            _log_mean(run, f"detector_{name}_score", [own[name] for own in results], **tags)


def log_costs(run: Run, home: Path, config: SocialsimConfig) -> None:
    """Seconds, memory and exposures of every size, the slope, and the loop of objects."""
    rows = [read_result(home, Cost(agents).key) for agents in dict.fromkeys(config.scale)]
    for row in rows:
        tags = {"agents": row["agents"], "ticks": row["ticks"]}
        run.log("run_seconds", row["seconds"], **tags)
        run.log("build_seconds", row["build_seconds"], **tags)
        run.log("peak_memory_mb", row["peak_mb"], **tags)
        run.log("tables_mb", row["tables_mb"], **tags)
        run.log("exposures_per_second", row["exposures"] / row["seconds"], **tags)
        run.log("tick_ms", 1000 * row["seconds"] / row["ticks"], **tags)
    if len(rows) > 1:
        logs = np.log([[row["agents"], row["seconds"] / row["ticks"]] for row in rows])
        run.log("cost_slope_score", float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]))
    race = read_result(home, Loop().key)
    rates = race["rates"]
    for engine, rate in rates.items():
        run.log("engine_exposures_per_second", rate, engine=engine)
    for engine, threads in (("ours", race["threads"]), ("ours, one thread", 1)):
        run.log("speedup_over_loop_ratio", rates[engine] / rates["loop"], threads=threads)


def log_core(run: Run, home: Path, config: SocialsimConfig) -> None:
    """What core agents showed."""
    if config.personas:
        _log_calibration(run, read_result(home, Calibrate().key))
    if config.personas and config.all_llm_agents:
        found = read_result(home, AllCore().key)
        run.log("cascade_ks_score", found["ks"], agents=config.all_llm_agents)
        run.log("all_core_seconds", found["seconds"])
        for number, who in enumerate(("model", "rule")):
            run.log("small_world_cascades_count", found["cascades"][number], by=who)
            run.log("small_world_cascade_size_items", found["mean_sizes"][number], by=who)
    found = read_result(home, Hybrid().key)
    run.log("hybrid_seconds", found["seconds"], agents=config.core_agents, core=found["core"])
    run.log("hybrid_sessions_count", found["sessions"])
    run.log("hybrid_calls_count", found["calls"])
    run.log("hybrid_texts_count", found["texts"])
    fallbacks = 100 * found["fallbacks"] / found["sessions"] if found["sessions"] else None
    run.log("hybrid_fallbacks_percent", fallbacks)
    same = found["same_bytes"]
    run.log("replayed_same_rate", None if same is None else float(same))


def _log_calibration(run: Run, found: Result) -> None:
    run.log("probes_count", found["probes"], held_out=found["held_out"])
    run.log("probe_seconds", found["seconds"])
    run.log("js_divergence_nats", found["js_nats"], model="calibrated rule")
    run.log("js_divergence_nats", found["marginal_js_nats"], model="role alone")
    run.log("calibration_error_score", found["ece"])
    for part in ("by_role", "by_label"):
        for name, value in found[part].items():
            run.log("js_divergence_nats", value, model="calibrated rule", only=name)
    for name, unit in (
        ("agreement", "agreement_slope_nats"),
        ("label_effect", "label_effect_nats"),
    ):
        run.log_interval(unit, Interval(*found[name]))


def _compared(config: SocialsimConfig) -> dict[str, str]:
    """Worlds that are told of by their difference to another."""
    found = {}
    for variant in variants(config):
        if variant.name not in FACTS | {NONE, NO_RED}:
            found[variant.name] = NONE
    found[NONE] = NO_RED
    for ranker in dict.fromkeys(config.rankers):
        with_red, without = ranker_names(ranker)
        found[with_red] = without
        del found[without]
    return found


def _log_mean(run: Run, name: str, values: Sequence[float], **tags: str) -> None:
    """The mean over seeds of what was measured, with an interval from two on."""
    known = [value for value in values if math.isfinite(value)]
    told: dict[str, Any] = {**tags, "n": len(known)}
    if len(known) > 1:
        run.log_interval(name, bootstrap_mean(known, seed=run.seed % 2**32), **told)
    else:
        run.log(name, known[0] if known else None, **told)


def _log_effect(run: Run, effect: Effect, world: str, reference: str) -> None:
    name = _UNITS[effect.metric]
    tags: dict[str, Any] = {"world": world, "against": reference, "n": effect.seeds}
    if effect.relative is not None:
        if effect.seeds > 1:
            run.log_interval("change_percent", effect.relative, outcome=name, **tags)
        else:
            run.log("change_percent", effect.relative.estimate, outcome=name, **tags)
    elif effect.seeds > 1:
        run.log_interval("change_score", effect.difference, outcome=name, **tags)
    else:
        run.log("change_score", effect.difference.estimate, outcome=name, **tags)
