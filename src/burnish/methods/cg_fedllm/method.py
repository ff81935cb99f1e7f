"""The record by which burnish knows CG-FedLLM."""

from __future__ import annotations

from burnish.methods.cg_fedllm.config import CgFedllmConfig
from burnish.registry import Method

METHOD = Method(
    name="cg_fedllm",
    title="CG-FedLLM: compressed federated fine-tuning",
    paper="Wu et al., CG-FedLLM: How to Compress Gradients in Federated Fine-tuning for Large "
    "Language Models, ECAI 2025, https://arxiv.org/abs/2405.13746",
    summary="Fine-tune with LoRA where data may not move, and send a fraction of the bytes.",
    config=CgFedllmConfig,
    run="burnish.methods.cg_fedllm.run:run",
    claims="burnish.methods.cg_fedllm.claims:CLAIMS",
    package="burnish.methods.cg_fedllm",
    extra="cg_fedllm",
    cli="burnish.methods.cg_fedllm.cli:cg_fedllm",
    assets=("dreaddit",),
)
