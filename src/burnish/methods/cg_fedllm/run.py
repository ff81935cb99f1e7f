"""The story of a CG-FedLLM run: collect updates, fit codecs, federate with each, compare."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from burnish.codecs.certificate import require_viable
from burnish.codecs.errors import UnviableCodec
from burnish.codecs.saving import load_codec
from burnish.errors import ConfigError
from burnish.methods.cg_fedllm import points
from burnish.methods.cg_fedllm.arms import Arm, Couple, Fit, jobs_of
from burnish.methods.cg_fedllm.config import LEARNED, CgFedllmConfig
from burnish.methods.cg_fedllm.fitting import codec_file
from burnish.methods.cg_fedllm.grounds import TINY, corpus_of
from burnish.methods.cg_fedllm.hostility import throw
from burnish.methods.cg_fedllm.show import draw
from burnish.methods.cg_fedllm.work import do
from burnish.models.sources import find
from burnish.runs import Run
from burnish.runs.jobs import perform
from burnish.runs.machine import cores


def run(config: CgFedllmConfig, run: Run) -> None:
    """Do every job that is missing, log what came out, and draw it."""
    check(config)
    run.note("corpus", corpus_of(config).note)
    run.note("model", TINY if config.model == TINY else find(config.model).identity)
    home = run.artifact("federation")
    jobs = jobs_of(config)
    with run.progress(len(jobs), "collecting, fitting and federating") as progress:
        perform(
            jobs,
            partial(do, config, run.seed, home),
            home,
            workers=config.workers or cores(),
            on_done=lambda job: progress.advance(),
        )
    arms = [job for job in jobs if isinstance(job, Arm)]
    points.log_federations(run, home, arms)
    points.log_recovered(run, home, arms)
    points.log_certificates(run, home, jobs)
    points.log_coupling(run, home, [job for job in jobs if isinstance(job, Couple)])
    if Fit("autoencoder", "state") in jobs:
        points.log_refusal(run, refused=_refused(home))
    learned = any(arm.codec in LEARNED for arm in arms)
    points.log_privacy(run, config, learned=learned)
    if config.hostile_payloads:
        with run.progress(config.hostile_payloads, "damaged payloads") as progress:
            points.log_hostile(run, **throw(config.hostile_payloads, run.seed, progress.advance))
    draw(run)


def check(config: CgFedllmConfig) -> None:
    """Refuse settings that do not go together, before anything is done.

    Raises:
        ConfigError: which, and what to do.
    """
    if config.plain_seeds > config.seeds:
        raise ConfigError(
            f"plain_seeds is at most seeds, got {config.plain_seeds} and {config.seeds}"
        )
    if "shifted" in config.codecs and config.fraction < 1:
        raise ConfigError(
            f"shifted needs every client in every round, got fraction={config.fraction}; set "
            "fraction=1 or leave shifted out"
        )
    if config.represent == "grad" and (config.certify_states or config.as_published):
        raise ConfigError(
            "gradients do not tell states; set certify_states and as_published to false, or "
            "represent=delta"
        )


def _refused(home: Path) -> bool:
    """Whether the AutoEncoder that was fitted on states is refused without safeguards."""
    try:
        require_viable(load_codec(codec_file(home, "autoencoder", "state")))
    except UnviableCodec:
        return True
    return False
