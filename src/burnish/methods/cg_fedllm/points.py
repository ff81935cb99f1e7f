"""From the jobs' results to the points of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from burnish.evidence import bootstrap_mean
from burnish.methods.cg_fedllm.arms import DENSE, Arm, Certify, Couple, Fit, Job
from burnish.methods.cg_fedllm.config import CgFedllmConfig
from burnish.methods.cg_fedllm.federating import privacy_of
from burnish.runs import Run
from burnish.runs.jobs import read_result

Result = Mapping[str, Any]


def log_federations(run: Run, home: Path, arms: Sequence[Arm]) -> None:
    """Held-out loss and traffic of every round of every federation."""
    for arm in arms:
        found = read_result(home, arm.key)
        tags = _tags(arm)
        for step, loss in enumerate(found["losses"]):
            run.log("heldout_loss", loss, step=step, **tags)
        for way in ("up", "down"):
            for step, amount in enumerate(found[f"{way}_bytes"], start=1):
                run.log(f"traffic_{way}_bytes", amount, step=step, **tags)
        run.log("loss_change_loss", found["losses"][-1] - found["losses"][0], **tags)
        run.log("failed_replies_count", sum(found["failures"]), **tags)
        run.log("federation_seconds", found["seconds"], **tags)


def log_recovered(run: Run, home: Path, arms: Sequence[Arm]) -> None:
    """How much of the dense loss drop each arm recovers, mean over seeds, and what it sends."""
    dense = {arm.seed: read_result(home, arm.key) for arm in arms if arm.codec == DENSE}
    names = dict.fromkeys(arm.name for arm in arms)
    for name in names:
        own = [arm for arm in arms if arm.name == name]
        results = [read_result(home, arm.key) for arm in own]
        shares = [
            recovered(found["losses"], dense[arm.seed]["losses"])
            for arm, found in zip(own, results, strict=True)
        ]
        known = [share for share in shares if share is not None]
        tags: dict[str, Any] = {"arm": name, "n": len(known), "guarded": own[0].guarded}
        if len(known) > 1:
            interval = bootstrap_mean(known, seed=run.seed)
            run.log_interval("recovered_ratio", interval, **tags)
        else:  # one federation knows no spread
            run.log("recovered_ratio", known[0] if known else None, **tags)
        total = mean(sum(found["up_bytes"]) + sum(found["down_bytes"]) for found in results)
        run.log("total_bytes", total, arm=name)
        run.log("upload_bytes", mean(sum(found["up_bytes"]) for found in results), arm=name)
        final = mean(found["losses"][-1] for found in results)
        run.log("final_heldout_loss", final, arm=name)
        run.log("final_perplexity", math.exp(final), arm=name)
        first = results[0]
        run.log("payload_bytes", first["payload_bytes"], arm=name)
        share = 100 * first["payload_bytes"] / (4 * first["numbers"])
        run.log("payload_share_percent", share, arm=name)
        run.log("header_bytes", first["header_bytes"], arm=name)
        if first["codec_seconds"] is not None:
            run.log("codec_seconds", first["codec_seconds"], codec=name)


def recovered(losses: Sequence[float], dense: Sequence[float]) -> float | None:
    """The share of the dense loss drop: (L0 - Lc) / (L0 - Ldense); None where dense gains nothing.

    Source: specified for this comparison, with both federations paired by seed.
    """
    drop = dense[0] - dense[-1]
    return (losses[0] - losses[-1]) / drop if drop > 0 else None


def log_certificates(run: Run, home: Path, jobs: Sequence[Job]) -> None:
    """What every codec loses of updates that it was not trained on."""
    for job in jobs:
        found = read_result(home, job.key)
        if isinstance(job, Fit):
            _log_certificate(run, job.codec, job.represent, found["certificate"])
            _log_fit(run, job, found)
        elif isinstance(job, Certify):
            for codec, certificate in found["certificates"].items():
                _log_certificate(run, codec, job.represent, certificate)


def _log_fit(run: Run, job: Fit, found: Result) -> None:
    tags: dict[str, Any] = {"codec": job.codec, "represent": job.represent}
    for sigma, error in found["noise"].items():
        run.log("noise_error_ratio", error, **tags, sigma=float(sigma))
    for step, loss in found["losses"]:
        run.log("codec_training_loss", loss, step=step, **tags)
    if found["latent_share"] is not None:
        run.log("latent_share_percent", 100 * found["latent_share"], **tags)
    run.log("fit_seconds", found["seconds"], **tags)


def _log_certificate(run: Run, codec: str, represent: str, found: Result) -> None:
    tags: dict[str, Any] = {"codec": codec, "represent": represent}
    for factor, error in found["relative_errors"].items():
        run.log("relative_error_ratio", error, **tags, factor=factor)
    run.log("update_cosine", found["update_cosine"], **tags)
    run.log("aggregate_cosine", found["aggregate_cosine"], **tags)
    run.log("b_norm_ratio", found["b_norm_ratio"], **tags)
    run.log("matched_error_ratio", found["matched_error"], **tags)
    run.log("shuffled_error_ratio", found["shuffled_error"], **tags)
    run.log("energy_to_error_ratio", found["energy_over_error"], **tags)
    run.log("energy_to_mean_error_ratio", found["energy_over_mean_error"], **tags)
    why = "; ".join(found["reasons"])
    run.log("viable_score", float(found["viable"]), **tags, why=why)


def log_coupling(run: Run, home: Path, jobs: Sequence[Couple]) -> None:
    """How much better PCA does under its own initialisation than under another."""
    ratios = []
    for job in jobs:
        found = read_result(home, job.key)
        run.log("own_init_cosine", found["own"], init=job.init)
        run.log("other_init_cosine", found["other"], init=job.init)
        if found["other"] > 0:
            ratios.append(found["own"] / found["other"])
    if ratios:
        interval = bootstrap_mean(ratios, seed=run.seed)
        run.log_interval("coupling_ratio", interval, n=len(ratios))


def log_refusal(run: Run, *, refused: bool) -> None:
    """Whether the AutoEncoder fitted on states was refused without safeguards."""
    run.log("refused_count", int(refused))


def _tags(arm: Arm) -> dict[str, Any]:
    return {"arm": arm.name, "seed": arm.seed, "guarded": arm.guarded, "epsilon": arm.epsilon}


def log_privacy(run: Run, config: CgFedllmConfig, *, learned: bool) -> None:
    """What noise each budget asks for, and what the accountants say of it."""
    for epsilon in config.epsilons:
        report = privacy_of(config, epsilon, learned=learned)
        tags: dict[str, Any] = {"epsilon": epsilon}
        covers = "yes" if report.covers_codec else "no"
        run.log("noise_multiplier_ratio", report.sigma, **tags, covers_codec=covers)
        run.log("mu_score", report.mu, **tags)
        for name, bound in (
            ("closed form", report.epsilon_gdp),
            ("rdp", report.epsilon_rdp),
            ("prv", report.epsilon_prv),
        ):
            run.log("epsilon_nats", bound, **tags, accountant=name)


def log_hostile(run: Run, *, sent: int, refused: int, escaped: int) -> None:
    """Damaged payloads that were thrown at the server's reader, and what became of them."""
    run.log("hostile_payloads_count", sent)
    run.log("refused_payloads_count", refused)
    run.log("escaped_payloads_count", escaped)
