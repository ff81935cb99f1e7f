"""The record by which burnish knows CAP."""

from __future__ import annotations

from burnish.methods.cap.config import CapConfig
from burnish.registry import Method

METHOD = Method(
    name="cap",
    title="CAP: contrastive pruning",
    paper="Xu et al., From Dense to Sparse: Contrastive Pruning for Better Pre-trained Language "
    "Model Compression, AAAI 2022, https://arxiv.org/abs/2112.07198",
    summary="Make a fine-tuned encoder small, and really faster, without it forgetting.",
    config=CapConfig,
    run="burnish.methods.cap.run:run",
    claims="burnish.methods.cap.claims:CLAIMS",
    package="burnish.methods.cap",
    extra="cap",
    cli="burnish.methods.cap.cli:cap",
    assets=("all-minilm-l6-v2", "tweets-sentiment"),
)
