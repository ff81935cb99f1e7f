"""The peers of the moderator, behind one interface: data, weights, a loss term or a wrapper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.methods.nlpguard.mitigators.affine import Affine
    from burnish.methods.nlpguard.mitigators.base import (
        Mitigation,
        Mitigator,
        SampleWeights,
    )
    from burnish.methods.nlpguard.mitigators.editing import (
        Editing,
        Unaware,
        Unawareness,
    )
    from burnish.methods.nlpguard.mitigators.erasing import ConceptErasure, Erased
    from burnish.methods.nlpguard.mitigators.explanation_regularisation import (
        ExplanationRegularisation,
        InputGradientPenalty,
        TokenMatcher,
    )
    from burnish.methods.nlpguard.mitigators.grouping import (
        GroupReduction,
        GroupThresholds,
        Reduced,
        Thresholded,
    )
    from burnish.methods.nlpguard.mitigators.inlp import fit_inlp
    from burnish.methods.nlpguard.mitigators.leace import fit_leace
    from burnish.methods.nlpguard.mitigators.reweighing import Reweighing, independent

_HOME = {
    "affine": ("Affine",),
    "base": ("Mitigation", "Mitigator", "SampleWeights"),
    "editing": ("Editing", "Unaware", "Unawareness"),
    "erasing": ("ConceptErasure", "Erased"),
    "explanation_regularisation": (
        "ExplanationRegularisation",
        "InputGradientPenalty",
        "TokenMatcher",
    ),
    "grouping": ("GroupReduction", "GroupThresholds", "Reduced", "Thresholded"),
    "inlp": ("fit_inlp",),
    "leace": ("fit_leace",),
    "reweighing": ("Reweighing", "independent"),
}

__all__ = [
    "Affine",
    "ConceptErasure",
    "Editing",
    "Erased",
    "ExplanationRegularisation",
    "GroupReduction",
    "GroupThresholds",
    "InputGradientPenalty",
    "Mitigation",
    "Mitigator",
    "Reduced",
    "Reweighing",
    "SampleWeights",
    "Thresholded",
    "TokenMatcher",
    "Unaware",
    "Unawareness",
    "fit_inlp",
    "fit_leace",
    "independent",
]


__getattr__ = lazily(__name__, _HOME)
