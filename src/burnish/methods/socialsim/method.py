"""The record by which burnish knows the social-network simulator."""

from __future__ import annotations

from burnish.methods.socialsim.config import SocialsimConfig
from burnish.registry import Method

METHOD = Method(
    name="socialsim",
    title="Social-network simulator for disinformation resilience",
    paper="Pastor-Galindo, Nespoli, Ruiperez-Valiente, Large-Language-Model-Powered Agent-Based "
    "Framework for Misinformation and Disinformation Research, IEEE Security & Privacy 2024, "
    "https://arxiv.org/abs/2310.07545",
    summary="Which countermeasure works, how early, and at what collateral cost.",
    config=SocialsimConfig,
    run="burnish.methods.socialsim.run:run",
    claims="burnish.methods.socialsim.claims:CLAIMS",
    package="burnish.methods.socialsim",
    extra="socialsim",
    cli="burnish.methods.socialsim.cli:socialsim",
    assets=("smollm2-135m-instruct",),
)
