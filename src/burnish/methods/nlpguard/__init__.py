"""NLPGuard: find, name and remove a text classifier's reliance on protected attributes.

Greco et al. 2024, arXiv 2407.01697. Everything public is importable from here and loaded on first
use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.methods.nlpguard.aggregation import Ranking, WordSums, WordTable
    from burnish.methods.nlpguard.annotation import (
        CATEGORIES,
        Annotation,
        Annotator,
        Protected,
    )
    from burnish.methods.nlpguard.assessing import missed
    from burnish.methods.nlpguard.auditing import (
        paired_sensitivity,
        relative_reduction,
        sensitivity,
        substitutes,
        table_reliance,
        word_reliance,
    )
    from burnish.methods.nlpguard.classifier import Attributed, Classifier, Explainer, Skipped
    from burnish.methods.nlpguard.config import NlpguardConfig
    from burnish.methods.nlpguard.executing import run
    from burnish.methods.nlpguard.explaining import Checkpoint, Explained, explain_corpus
    from burnish.methods.nlpguard.guard_class import Guard
    from burnish.methods.nlpguard.guarding import Guarded, Reliance, guard
    from burnish.methods.nlpguard.hf import EncoderWithHead, HfClassifier
    from burnish.methods.nlpguard.human import HumanAnnotator, export_words, read_ballot
    from burnish.methods.nlpguard.hypernyms import WordNet
    from burnish.methods.nlpguard.identifying import by_label, contexts_of, identify, top_words
    from burnish.methods.nlpguard.integrated import IntegratedGradients
    from burnish.methods.nlpguard.ledger import Edit, Ledger
    from burnish.methods.nlpguard.lexicon import Lexicon
    from burnish.methods.nlpguard.linear import LinearClassifier, LinearExplainer
    from burnish.methods.nlpguard.llm_annotator import LLMAnnotator
    from burnish.methods.nlpguard.matching import Match, Matcher
    from burnish.methods.nlpguard.method import METHOD
    from burnish.methods.nlpguard.mitigators import (
        ConceptErasure,
        Editing,
        ExplanationRegularisation,
        GroupReduction,
        GroupThresholds,
        Reweighing,
        Unawareness,
    )
    from burnish.methods.nlpguard.moderating import MitigatedData, MitigationError, moderate
    from burnish.methods.nlpguard.neighbours import WordVectors
    from burnish.methods.nlpguard.occlusion import Occlusion
    from burnish.methods.nlpguard.opening import classifier_of, explainer_of
    from burnish.methods.nlpguard.peers import CaptumIntegratedGradients, ShapPartition
    from burnish.methods.nlpguard.performance import answers, averaged, compared, measure
    from burnish.methods.nlpguard.proxying import Proxy, predictability, proxies
    from burnish.methods.nlpguard.report_files import AuditReport, write_report
    from burnish.methods.nlpguard.rewriting import rewrite
    from burnish.methods.nlpguard.shapley import PartitionShapley
    from burnish.methods.nlpguard.strategies import STRATEGIES, Means, strategy
    from burnish.methods.nlpguard.swaps import Swaps, counterfactuals
    from burnish.methods.nlpguard.toxicity import read_toxicity
    from burnish.methods.nlpguard.training import (
        EncoderSettings,
        LinearSettings,
        load_encoder_classifier,
        load_linear,
        train,
    )
    from burnish.methods.nlpguard.voting import VoteAnnotator, agreement

_HOME = {
    "aggregation": (
        "Ranking",
        "WordSums",
        "WordTable",
    ),
    "annotation": (
        "CATEGORIES",
        "Annotation",
        "Annotator",
        "Protected",
    ),
    "assessing": ("missed",),
    "auditing": (
        "paired_sensitivity",
        "relative_reduction",
        "sensitivity",
        "substitutes",
        "table_reliance",
        "word_reliance",
    ),
    "classifier": (
        "Attributed",
        "Classifier",
        "Explainer",
        "Skipped",
    ),
    "config": ("NlpguardConfig",),
    "executing": ("run",),
    "explaining": (
        "Checkpoint",
        "Explained",
        "explain_corpus",
    ),
    "guard_class": ("Guard",),
    "guarding": (
        "Guarded",
        "Reliance",
        "guard",
    ),
    "hf": (
        "EncoderWithHead",
        "HfClassifier",
    ),
    "human": (
        "HumanAnnotator",
        "export_words",
        "read_ballot",
    ),
    "hypernyms": ("WordNet",),
    "identifying": (
        "by_label",
        "contexts_of",
        "identify",
        "top_words",
    ),
    "integrated": ("IntegratedGradients",),
    "ledger": (
        "Edit",
        "Ledger",
    ),
    "lexicon": ("Lexicon",),
    "linear": (
        "LinearClassifier",
        "LinearExplainer",
    ),
    "llm_annotator": ("LLMAnnotator",),
    "matching": (
        "Match",
        "Matcher",
    ),
    "method": ("METHOD",),
    "mitigators": (
        "ConceptErasure",
        "Editing",
        "ExplanationRegularisation",
        "GroupReduction",
        "GroupThresholds",
        "Reweighing",
        "Unawareness",
    ),
    "moderating": (
        "MitigatedData",
        "MitigationError",
        "moderate",
    ),
    "neighbours": ("WordVectors",),
    "occlusion": ("Occlusion",),
    "opening": (
        "classifier_of",
        "explainer_of",
    ),
    "peers": (
        "CaptumIntegratedGradients",
        "ShapPartition",
    ),
    "performance": (
        "answers",
        "averaged",
        "compared",
        "measure",
    ),
    "proxying": (
        "Proxy",
        "predictability",
        "proxies",
    ),
    "report_files": (
        "AuditReport",
        "write_report",
    ),
    "rewriting": ("rewrite",),
    "shapley": ("PartitionShapley",),
    "strategies": (
        "STRATEGIES",
        "Means",
        "strategy",
    ),
    "swaps": (
        "Swaps",
        "counterfactuals",
    ),
    "toxicity": ("read_toxicity",),
    "training": (
        "EncoderSettings",
        "LinearSettings",
        "load_encoder_classifier",
        "load_linear",
        "train",
    ),
    "voting": (
        "VoteAnnotator",
        "agreement",
    ),
}

__all__ = [
    "CATEGORIES",
    "METHOD",
    "STRATEGIES",
    "Annotation",
    "Annotator",
    "Attributed",
    "AuditReport",
    "CaptumIntegratedGradients",
    "Checkpoint",
    "Classifier",
    "ConceptErasure",
    "Edit",
    "Editing",
    "EncoderSettings",
    "EncoderWithHead",
    "Explained",
    "Explainer",
    "ExplanationRegularisation",
    "GroupReduction",
    "GroupThresholds",
    "Guard",
    "Guarded",
    "HfClassifier",
    "HumanAnnotator",
    "IntegratedGradients",
    "LLMAnnotator",
    "Ledger",
    "Lexicon",
    "LinearClassifier",
    "LinearExplainer",
    "LinearSettings",
    "Match",
    "Matcher",
    "Means",
    "MitigatedData",
    "MitigationError",
    "NlpguardConfig",
    "Occlusion",
    "PartitionShapley",
    "Protected",
    "Proxy",
    "Ranking",
    "Reliance",
    "Reweighing",
    "ShapPartition",
    "Skipped",
    "Swaps",
    "Unawareness",
    "VoteAnnotator",
    "WordNet",
    "WordSums",
    "WordTable",
    "WordVectors",
    "agreement",
    "answers",
    "averaged",
    "by_label",
    "classifier_of",
    "compared",
    "contexts_of",
    "counterfactuals",
    "explain_corpus",
    "explainer_of",
    "export_words",
    "guard",
    "identify",
    "load_encoder_classifier",
    "load_linear",
    "measure",
    "missed",
    "moderate",
    "paired_sensitivity",
    "predictability",
    "proxies",
    "read_ballot",
    "read_toxicity",
    "relative_reduction",
    "rewrite",
    "run",
    "sensitivity",
    "strategy",
    "substitutes",
    "table_reliance",
    "top_words",
    "train",
    "word_reliance",
    "write_report",
]


__getattr__ = lazily(__name__, _HOME)
