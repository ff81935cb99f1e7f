"""The record by which burnish knows NLPGuard."""

from __future__ import annotations

from burnish.methods.nlpguard.config import NlpguardConfig
from burnish.registry import Method

METHOD = Method(
    name="nlpguard",
    title="NLPGuard: protected attributes in text classifiers",
    paper="Greco, Zhou, Capra, Cerquitelli, Quercia, NLPGuard: A Framework for Mitigating the Use "
    "of Protected Attributes by NLP Classifiers, Proc. ACM HCI 8 (CSCW2), 2024, "
    "https://arxiv.org/abs/2407.01697",
    summary="Find the protected words that drive a classifier, edit them out, prove it helped.",
    config=NlpguardConfig,
    run="burnish.methods.nlpguard.comparing:run",
    claims="burnish.methods.nlpguard.claims:CLAIMS",
    package="burnish.methods.nlpguard",
    extra="nlpguard",
    cli="burnish.methods.nlpguard.cli:nlpguard",
    assets=("all-minilm-l6-v2", "dreaddit"),
)
