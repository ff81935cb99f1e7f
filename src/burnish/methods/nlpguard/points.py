"""From the jobs' results to the points of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from burnish.evidence import bootstrap_mean
from burnish.evidence.intervals import Interval
from burnish.methods.nlpguard.arms import (
    NONE,
    Agree,
    Arm,
    Cost,
    Iterate,
    Plant,
    Race,
    arms_of,
    plants_of,
)
from burnish.methods.nlpguard.auditing import POOLED, relative_reduction
from burnish.methods.nlpguard.config import NlpguardConfig
from burnish.methods.nlpguard.performance import Answers, averaged, compared
from burnish.methods.nlpguard.work import answers_file
from burnish.runs import Run
from burnish.runs.jobs import read_result

Result = Mapping[str, Any]


def pairs_of(home: Path, config: NlpguardConfig) -> list[tuple[str, str, list[Arm]]]:
    """Kind, mitigation and its arms, seed by seed; only those that could be trained."""
    found: dict[tuple[str, str], list[Arm]] = {}
    for arm in arms_of(config):
        if "untrained" not in read_result(home, arm.key):
            found.setdefault((arm.kind, arm.mitigation), []).append(arm)
    return [(kind, mitigation, arms) for (kind, mitigation), arms in found.items()]


def log_reliance(run: Run, home: Path, config: NlpguardConfig) -> None:
    """PA@N, its reduction, mass, flips and what it cost, of every mitigation."""
    for kind, mitigation, arms in pairs_of(home, config):
        results = [read_result(home, arm.key) for arm in arms]
        tags: dict[str, Any] = {"kind": kind, "mitigation": mitigation}
        for name, values in _measured(results).items():
            _log(run, name, values, **tags)
        for count in results[0]["shares_of_fewer"]:
            found = [result["shares_of_fewer"][count] for result in results]
            shares = [100 * share for share in found if share is not None]
            _log(run, "pa_of_fewer_percent", shares, **tags, top=count)
        for name in ("incomplete", "explained", "skipped"):
            run.log(f"{name}_count", sum(result[name] for result in results), **tags)
        run.log("unpredicted_count", sum(len(each["unpredicted"]) for each in results), **tags)
        if mitigation != NONE:
            plain = [read_result(home, Arm(arm.kind, NONE, arm.number).key) for arm in arms]
            for name, values in _reduced(plain, results).items():
                _log(run, name, values, **tags)


def log_edits(run: Run, home: Path, config: NlpguardConfig) -> None:
    """What became of the training rows, be there anything left to train on or not."""
    found: dict[tuple[str, str], list[Result]] = {}
    for arm in arms_of(config):
        found.setdefault((arm.kind, arm.mitigation), []).append(read_result(home, arm.key))
    for (kind, mitigation), results in found.items():
        tags: dict[str, Any] = {"kind": kind, "mitigation": mitigation}
        lost = [100 * one.get("lost", 0) / one["rows_before"] for one in results]
        _log(run, "lost_rows_percent", lost, **tags)
        _log(run, "training_rows_items", [one["rows_after"] for one in results], **tags)
        run.log("refused_share", mean(bool(one["refused"]) for one in results), **tags)
        run.log("untrained_count", sum("untrained" in one for one in results), **tags)
        if "replays" in results[0]:
            run.log("replayed_share", mean(one["replays"] for one in results), **tags)


def _measured(results: Sequence[Result]) -> dict[str, list[float]]:
    """What is told of every mitigation, seed by seed."""
    masses = [result["mass"].get(POOLED) for result in results]
    bases = [result["base_share"] for result in results]
    return {
        "blind_pa_percent": [100 * base for base in bases if base is not None],
        "pa_percent": [100 * _share(result) for result in results],
        "mass_percent": [100 * mass for mass in masses if mass is not None],
        "listed_words": [result["shares"][POOLED]["listed"] for result in results],
        "flip_percent": [100 * result["flip_rate"][0] for result in results if result["flip_rate"]],
        "fairness_gap_percent": [100 * result["gap"][0] for result in results if result["gap"]],
        "training_seconds": [result["training_seconds"] for result in results],
        "explaining_seconds": [result["explaining_seconds"] for result in results],
    }


def _reduced(plain: Sequence[Result], results: Sequence[Result]) -> dict[str, list[float]]:
    """What became less, against the same classifier as it was."""
    pairs = list(zip(plain, results, strict=True))
    words = [relative_reduction(_share(own), _share(new)) for own, new in pairs]
    mass = [
        relative_reduction(own["mass"].get(POOLED), new["mass"].get(POOLED)) for own, new in pairs
    ]
    return {
        "reduction_percent": [100 * one for one in words if one is not None],
        "mass_reduction_percent": [100 * one for one in mass if one is not None],
        "substitutes_words": [sum(map(len, new["substitutes"].values())) for new in results],
    }


def log_performance(run: Run, home: Path, config: NlpguardConfig) -> None:
    """Accuracy, macro F1 and AUC, and their paired differences to none."""
    for kind, mitigation, arms in pairs_of(home, config):
        own = [_answers(home, arm) for arm in arms]
        tags: dict[str, Any] = {"kind": kind, "mitigation": mitigation, "n": len(arms)}
        for metric, interval in averaged(own, seed=run.seed % 2**32).items():
            run.log_interval(f"{metric}_percent", _percent(interval), **tags)
        if mitigation == NONE:
            continue
        plain = [_answers(home, Arm(arm.kind, NONE, arm.number)) for arm in arms]
        changes = compared(plain, own, seed=run.seed % 2**32)
        for metric, interval in changes.items():
            run.log_interval(f"{metric}_change_points", _percent(interval), **tags)
        ratio = _per_point(home, arms, 100 * changes["accuracy"].estimate)
        run.log("reduction_per_point_ratio", ratio, **tags)


def _per_point(home: Path, arms: Sequence[Arm], change: float) -> float | None:
    """Percent of PA@N taken away for each point of accuracy lost; None where none was."""
    plain = [read_result(home, arm.needs[0]) for arm in arms]
    reduced = _reduced(plain, [read_result(home, arm.key) for arm in arms])["reduction_percent"]
    return mean(reduced) / -change if reduced and change < 0 else None


def log_cost(run: Run, home: Path, config: NlpguardConfig) -> None:
    """Time from data to audit, by way of MS2 and a second training, and the most memory."""
    for kind in config.kinds:
        found = read_result(home, Cost(kind).key)
        run.log("pipeline_seconds", found["seconds"], kind=kind)
        run.log("peak_memory_mb", found["peak_mb"], kind=kind)


def log_words(run: Run, home: Path, config: NlpguardConfig) -> None:
    """The first seed's words with their categories, before and after MS2, and its first edits."""
    for kind, mitigation, arms in pairs_of(home, config):
        if mitigation not in (NONE, "word_removal"):
            continue
        result = read_result(home, arms[0].key)
        for label, words in result["top"].items():
            for rank, (word, category, score) in enumerate(words, start=1):
                run.log(
                    "top_word_rank", rank, kind=kind, mitigation=mitigation, label=label, word=word,
                    category=category, attribution=round(score, 4),
                )  # fmt: skip
        for proxy in result.get("proxies", ()):
            run.log(
                "proxy_information_nats", proxy["information"], kind=kind, mitigation=mitigation,
                word=proxy["word"], category=proxy["category"], share=round(proxy["share"], 3),
                base=round(proxy["base_share"], 3),
            )  # fmt: skip
        for category, area in result.get("predictability", {}).items():
            run.log(
                "predictability_score", area, kind=kind, mitigation=mitigation, category=category
            )
        if mitigation == NONE:
            continue
        for label, words in result["substitutes"].items():
            for place, word in enumerate(words, start=1):
                run.log("substitute_rank", place, kind=kind, label=label, word=word)
        for place, (row, start, end, old, new, word, category, *_) in enumerate(
            result["ledger"], start=1
        ):
            run.log(
                "ledger_rank", place, kind=kind, row=row, start=start, end=end, old=old, new=new,
                word=word, category=category,
            )  # fmt: skip


def log_probes(run: Run, home: Path, config: NlpguardConfig) -> None:
    """How well linear probes on vectors tell categories, beyond the majority."""
    for kind, mitigation, arms in pairs_of(home, config):
        results = [read_result(home, arm.key).get("probes", {}) for arm in arms]
        for category in sorted({name for result in results for name in result}):
            known = [result[category] for result in results if category in result]
            tags = {"kind": kind, "mitigation": mitigation, "category": category}
            beyond = [100 * (accuracy - majority) for accuracy, majority in known]
            _log(run, "probe_gain_points", beyond, **tags)
            _log(run, "probe_accuracy_percent", [100 * one for one, _ in known], **tags)


def log_checks(run: Run, home: Path, config: NlpguardConfig) -> None:
    """The planted word, the iterative guard, the language model's agreement."""
    for kind in plants_of(config):
        found = read_result(home, Plant(kind).key)
        for moment in ("before", "after"):
            planted = found[moment]
            run.log("planted_rank", planted["rank"], kind=kind, moment=moment)
            run.log("planted_shrunk_rank", planted["shrunk_rank"], kind=kind, moment=moment)
            run.log("planted_mass_percent", 100 * planted["mass"], kind=kind, moment=moment)
    if config.guard_rounds and "linear" in config.kinds:
        found = read_result(home, Iterate().key)
        for step, (share, accuracy) in enumerate(
            zip(found["shares"], found["accuracies"], strict=True)
        ):
            run.log("guard_pa_percent", 100 * share, step=step)
            run.log("guard_accuracy_percent", 100 * accuracy, step=step)
        run.log("guard_chosen_rounds", found["chosen"], end=found["end"])
    if config.llm:
        found = read_result(home, Agree(config.kinds[-1]).key)
        run.log("llm_parsed_percent", 100 * found["parsed_share"], words=found["words"])
        for between, interval in found["cohen"].items():
            run.log_interval(
                "llm_kappa_score",
                None if interval is None else Interval(*interval),
                between=between,
            )


def log_race(run: Run, home: Path) -> None:
    """Speed of every explainer, ours over theirs, and how far values differ from Captum's."""
    for kind, found in read_result(home, Race().key).items():
        seconds = found["seconds"]
        for side, taken in seconds.items():
            run.log("explained_texts_per_second", 1 / taken, kind=kind, side=side)
            if not side.startswith("ours"):
                run.log("speedup_ratio", taken / seconds["ours"], kind=kind, over=side)
        if "difference" in found:
            run.log("captum_difference_ratio", found["difference"], kind=kind)
        if "complete_share" in found:
            run.log("race_complete_share", found["complete_share"], kind=kind)


def _share(result: Result) -> float:
    own = result["shares"][POOLED]
    return float(own["protected"] / own["listed"]) if own["listed"] else 0.0


def _answers(home: Path, arm: Arm) -> Answers:
    with np.load(answers_file(home, arm), allow_pickle=False) as kept:
        return Answers(kept["items"], kept["labels"], kept["probabilities"])


def _percent(interval: Interval) -> Interval:
    return Interval(100 * interval.estimate, 100 * interval.low, 100 * interval.high)


def _log(run: Run, name: str, values: Sequence[float], **tags: str) -> None:
    """The mean over seeds, with an interval from two on."""
    told: dict[str, Any] = {**tags, "n": len(values)}
    if len(values) > 1:
        run.log_interval(name, bootstrap_mean(list(values), seed=run.seed % 2**32), **told)
    else:
        run.log(name, values[0] if values else None, **told)
