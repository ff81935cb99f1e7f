"""Each job of a run, done by whoever does its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from burnish.methods.cg_fedllm.arms import Certify, Collect, Couple, Fit, Job
from burnish.methods.cg_fedllm.config import CgFedllmConfig
from burnish.methods.cg_fedllm.federating import do_federate
from burnish.methods.cg_fedllm.fitting import do_certify, do_collect, do_couple, do_fit


def do(config: CgFedllmConfig, seed: int, home: Path, job: Job) -> dict[str, Any]:
    """Do one job; what it found, as JSON has it."""
    if isinstance(job, Collect):
        return do_collect(config, seed, job, home)
    if isinstance(job, Fit):
        return do_fit(config, seed, job, home)
    if isinstance(job, Certify):
        return do_certify(config, seed, job, home)
    if isinstance(job, Couple):
        return do_couple(job, home)
    return do_federate(config, seed, job, home)
