"""Mitigators that need to know each person's group, by Fairlearn: thresholds and reductions.

Both decide between two classes, the second of which is the positive one, and both draw lots: where
no fixed rule is fair enough, a text is called positive with some chance. So what they give is a
decision, a probability of 0 or 1, and each keeps its promise on average over the draws. A draw
belongs to the place of a text in the list that is asked for: the same list gives the same bytes,
and two wordings at one place of two lists share their draw.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from burnish.errors import BurnishError, MissingExtra, UsageError, nearest
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.classifier import Classifier
from burnish.methods.nlpguard.linear import LinearClassifier
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.mitigators.base import Mitigation
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.training import class_indices
from burnish.training import derive

Constraint = Literal[
    "demographic_parity",
    "equalized_odds",
    "true_positive_rate_parity",
    "false_positive_rate_parity",
]
Groups = Sequence[Hashable]
GroupsOf = Callable[[Sequence[str]], Groups]

_MOMENTS = {
    "demographic_parity": "DemographicParity",
    "equalized_odds": "EqualizedOdds",
    "true_positive_rate_parity": "TruePositiveRateParity",
    "false_positive_rate_parity": "FalsePositiveRateParity",
}
_SLACK = 1e-3  # of the bound; a linear program and a stop before the end leave a little


@dataclass(frozen=True)
class GroupThresholds:
    """A threshold of its own for each group on the probability of the positive class.

    The classifier stays as it is. The group must be known for every text that is asked about.

    Attributes:
        groups: of the rows given to `fit`, one each, of any hashable kind. Probabilities on rows
            that a classifier was trained on are surer than on new ones: where rows can be spared,
            give `fit` rows it was not trained on.
        groups_of: gives the groups of texts that come without; None refuses such texts.
        constraint: what is made equal: the share called positive (demographic parity), the share
            of the true positives, or of the true negatives, that are called positive, or both of
            these (equalized odds).
        bound: the largest difference between two groups, on the rows and on average over the
            draws; 0 with equalized odds.
        seed: of the draws.

    Raises:
        UsageError: the constraint is unknown, or the bound is out of range.

    Source: Hardt, Price and Srebro 2016, arXiv 1610.02413, as in fairlearn's ThresholdOptimizer,
    which takes the most accurate of such rules.
    """

    groups: Groups | None = None
    groups_of: GroupsOf | None = None
    constraint: Constraint = "demographic_parity"
    bound: float = 0.0
    seed: int = 0
    name: str = "fairlearn_thresholds"

    def __post_init__(self) -> None:
        _check_settings(self.constraint, self.bound)
        if self.constraint == "equalized_odds" and self.bound:
            raise UsageError(
                f"thresholds meet equalized_odds exactly, got a bound of {self.bound}; take 0, or "
                "another constraint"
            )

    def fit(self, rows: Rows, protected: Protected, matcher: Matcher) -> Mitigation:
        """A wrapper for a classifier of two classes; what it gives is `Thresholded`.

        Raises:
            UsageError: groups are missing, do not pair up with the rows, or are fewer than two; a
                group has rows of one label only; the classifier has not two classes.
            MissingExtra: fairlearn is not installed.
            DataError: as `class_indices`, once wrapped.
        """
        codes, known = _coded(self.groups, rows, self.name)
        library = _imported("fairlearn.postprocessing")

        def wrap(classifier: Classifier) -> Thresholded:
            labels = _binary(rows, classifier, self.name)
            rule = library.ThresholdOptimizer(
                estimator=_Itself(),
                constraints=self.constraint,
                prefit=True,
                predict_method="predict",
                tol=self.bound or None,
            )
            with _quiet():
                rule.fit(_scores(classifier, rows.texts), labels, sensitive_features=codes)
            return Thresholded(classifier, rule, known, self.groups_of, self.seed)

        return Mitigation(wrap=wrap)


@dataclass(frozen=True, eq=False)
class Thresholded:
    """A classifier whose probabilities are held against the threshold of the text's group.

    Attributes:
        classifier: the one that is asked.
        rule: fitted ThresholdOptimizer on its probabilities.
        codes: number of each group in the rule.
        groups_of: gives the groups of texts that come without.
        seed: of the draws.
    """

    classifier: Classifier
    rule: Any
    codes: Mapping[Hashable, int]
    groups_of: GroupsOf | None
    seed: int

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the classifier."""
        return self.classifier.classes

    def probabilities(
        self, texts: Sequence[str], groups: Groups | None = None
    ) -> NDArray[np.float32]:
        """(n, 2), a 1 for the class that is decided on and a 0 for the other.

        Args:
            texts: n texts.
            groups: n groups, one a text; None asks `groups_of`.

        Raises:
            UsageError: there are no groups, not one a text, or one the rule was not fitted on.
        """
        codes = self._codes(texts, groups)
        if not len(texts):
            return np.zeros((0, 2), np.float32)
        with _quiet():
            positive = self.rule.predict(
                _scores(self.classifier, texts),
                sensitive_features=codes,
                random_state=derive(self.seed, "nlpguard-thresholds") % 2**32,
            )
        return _decided(np.asarray(positive, bool))

    def _codes(self, texts: Sequence[str], groups: Groups | None) -> NDArray[np.int64]:
        if groups is None and self.groups_of is not None:
            groups = self.groups_of(texts)
        if groups is None:
            raise UsageError(
                "thresholds need the group of every text they decide on, got texts alone; give "
                "probabilities(texts, groups), or groups_of to the mitigator"
            )
        _check_groups(groups, len(texts), "text")
        for place, group in enumerate(groups):
            if group not in self.codes:
                raise UsageError(
                    f"the group of text {place} is none of the {len(self.codes)} that the "
                    "thresholds were fitted on; leave the text out, or fit on rows of that group"
                )
        return np.array([self.codes[group] for group in groups], np.int64)


@dataclass(frozen=True)
class GroupReduction:
    """The linear model trained anew, again and again on reweighed rows, until groups are equal.

    The groups are not asked for afterwards: what it gives decides on the text alone.

    Attributes:
        groups: of the rows given to `fit`, one each, of any hashable kind.
        constraint: as of `GroupThresholds`.
        bound: the largest difference between two groups, on the rows and on average over the
            draws, > 0.
        rounds: most rounds of exponentiated gradient.
        seed: of the draws, and of a linear model that draws itself and has no seed of its own.

    Raises:
        UsageError: the constraint is unknown, or the bound or the rounds are out of range.

    Source: Agarwal et al. 2018, arXiv 1803.02453, as in fairlearn's ExponentiatedGradient.
    Departure: theirs bounds the difference between a group and everyone; half the bound is given
    to it, so that no two groups differ by more than the bound.
    """

    groups: Groups | None = None
    constraint: Constraint = "demographic_parity"
    bound: float = 0.02
    rounds: int = 50
    seed: int = 0
    name: str = "fairlearn_reductions"

    def __post_init__(self) -> None:
        _check_settings(self.constraint, self.bound)
        if self.bound == 0 or self.rounds < 1:
            raise UsageError(
                "a reduction needs a bound above 0 and a round at least, got "
                f"{self.bound} and {self.rounds}"
            )

    def fit(self, rows: Rows, protected: Protected, matcher: Matcher) -> Mitigation:
        """A wrapper for a linear classifier of two classes; what it gives is `Reduced`.

        The words, and how they are weighed, stay those of the classifier.

        Raises:
            UsageError: as of `GroupThresholds`; or the classifier is no linear pipeline, or its
                model takes no weights.
            MissingExtra: fairlearn is not installed.
            DataError: as `class_indices`, once wrapped.
            BurnishError: the bound was not reached, once wrapped.
        """
        codes, _ = _coded(self.groups, rows, self.name)
        library = _imported("fairlearn.reductions")
        return Mitigation(wrap=lambda classifier: self._reduced(library, classifier, rows, codes))

    def _reduced(
        self, library: Any, classifier: Classifier, rows: Rows, codes: NDArray[np.int64]
    ) -> Reduced:
        labels = _binary(rows, classifier, self.name)
        linear, model = _linear(classifier, derive(self.seed, "nlpguard-model") % 2**32)
        features = linear.features(rows.texts)
        moment = getattr(library, _MOMENTS[self.constraint])(difference_bound=self.bound / 2)
        numbers = np.arange(len(rows))[:, None]
        search = library.ExponentiatedGradient(
            _OnRows(model, lambda taken: features[taken]), moment, max_iter=self.rounds
        )
        with _quiet():
            search.fit(numbers, labels, sensitive_features=codes)
            kept = [(weight, search.predictors_[at]) for at, weight in search.weights_.items()]
            kept = [(weight, predictor) for weight, predictor in kept if weight > 0]
            found = _mixed([(weight, each.predict(numbers)) for weight, each in kept])
            reached = _difference(search.constraints_.gamma(lambda _: found))
        if reached > self.bound + _SLACK:
            raise BurnishError(
                f"after at most {self.rounds} rounds groups differ by {reached:.3f}, and "
                f"{self.bound} is wanted; allow more rounds or a wider bound"
            )
        models = tuple((weight, getattr(each, "model", each)) for weight, each in kept)
        return Reduced(classifier.classes, linear, models, reached, self.seed)


@dataclass(frozen=True, eq=False)
class Reduced:
    """Linear models of which one is drawn for each text.

    Attributes:
        classes: two.
        linear: whose words they see.
        models: weight and model; the weights sum to 1.
        difference: the largest between two groups on the rows they were fitted on, on average
            over the draws.
        seed: of the draws.
    """

    classes: tuple[str, ...]
    linear: LinearClassifier
    models: tuple[tuple[float, Any], ...]
    difference: float
    seed: int

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 2), a 1 for the class that is decided on and a 0 for the other."""
        bits = np.random.SFC64(derive(self.seed, "nlpguard-reductions"))
        return _decided(np.random.Generator(bits).random(len(texts)) < self.chances(texts))

    def chances(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n,), how likely the second class is to be drawn; this is no degree of belief."""
        if not len(texts):
            return np.zeros(0)
        features = self.linear.features(texts)
        return _mixed([(weight, model.predict(features)) for weight, model in self.models])


@runtime_checkable
class _Piped(Protocol):
    @property
    def pipeline(self) -> Pipeline: ...


class _Itself(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What fairlearn takes for a fitted model: it predicts its only feature, a probability."""

    def fit(self, features: Any, labels: Any) -> _Itself:
        return self

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return features[:, 0]

    def __sklearn_is_fitted__(self) -> bool:
        return True


@dataclass
class _OnRows:
    """A model of sparse features, which fairlearn does not take: it is given numbers of rows."""

    model: Any
    features: Callable[[NDArray[np.int64]], sparse.csr_matrix]

    def fit(self, numbers: NDArray[np.int64], labels: Any, sample_weight: Any) -> _OnRows:
        features = self.features(numbers[:, 0])
        self.model = clone(self.model).fit(
            features, np.asarray(labels), sample_weight=np.asarray(sample_weight)
        )
        return self

    def predict(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.model.predict(self.features(numbers[:, 0]))
        return found


def _check_settings(constraint: str, bound: float) -> None:
    if constraint not in get_args(Constraint):
        raise UsageError(f"constraint {constraint!r}: {nearest(constraint, get_args(Constraint))}")
    if not 0 <= bound < 1:
        raise UsageError(f"bound is a difference of shares, from 0 to below 1, got {bound}")


def _coded(
    groups: Groups | None, rows: Rows, name: str
) -> tuple[NDArray[np.int64], dict[Hashable, int]]:
    """Numbers (n,) of the groups of rows, and the number of each group."""
    if groups is None:
        raise UsageError(
            f"{name} needs the group of every row, got none; give groups, or take a mitigator that "
            "needs none, such as reweighing"
        )
    _check_two(len({*rows.labels}), name)
    _check_groups(groups, len(rows), "row")
    known: dict[Hashable, int] = {}
    codes = np.array([known.setdefault(group, len(known)) for group in groups], np.int64)
    if len(known) < 2:
        raise UsageError(f"{name} makes groups equal, got one group; give the groups of all rows")
    for code in range(len(known)):
        places = np.flatnonzero(codes == code)
        if len(labels := {rows.labels[place] for place in places}) == 1:
            raise UsageError(
                f"every group needs rows of both labels, and that of row {places[0]} "
                f"({len(places)} rows) has only {labels.pop()!r}; merge it with another group or "
                "leave its rows out"
            )
    return codes, known


def _check_groups(groups: Groups, count: int, what: str) -> None:
    """UsageError unless there is a group for each, known and hashable; it quotes no group."""
    if len(groups) != count:
        raise UsageError(f"there must be one group for each of {count} {what}s, got {len(groups)}")
    for place, group in enumerate(groups):
        problem = ""
        if isinstance(group, float | np.floating) and math.isnan(group):
            problem = "is missing (nan); give those without a group one of their own"
        try:
            hash(group)
        except TypeError:
            problem = f"is a {type(group).__name__}, which is not hashable; give a name or a tuple"
        if problem:
            raise UsageError(f"the group of {what} {place} {problem}")


def _binary(rows: Rows, classifier: Classifier, name: str) -> NDArray[np.int64]:
    _check_two(len(classifier.classes), name)
    return class_indices(rows.labels, classifier.classes)


def _check_two(classes: int, name: str) -> None:
    if classes != 2:
        raise UsageError(
            f"{name} decides between two classes, got {classes}; train one class against the rest"
        )


def _linear(classifier: Classifier, seed: int) -> tuple[LinearClassifier, Any]:
    """What gives the features, and an unfitted model of the same settings."""
    if not isinstance(classifier, _Piped):
        raise UsageError(
            "a reduction trains a linear pipeline anew, and a "
            f"{type(classifier).__name__} has none (no pipeline); train a linear classifier, or "
            "take thresholds"
        )
    linear, model = LinearClassifier(classifier.pipeline), clone(classifier.pipeline[-1])
    if not has_fit_parameter(model, "sample_weight"):
        raise UsageError(
            f"a reduction weighs rows, which {type(model).__name__} does not take; take "
            "LogisticRegression or LinearSVC"
        )
    if model.get_params().get("random_state", 0) is None:
        model.set_params(random_state=seed)
    return linear, model


def _scores(classifier: Classifier, texts: Sequence[str]) -> NDArray[np.float64]:
    """(n, 1) probabilities of the second class."""
    return classifier.probabilities(texts)[:, 1:].astype(np.float64)


def _mixed(predicted: Sequence[tuple[float, NDArray[np.int64]]]) -> NDArray[np.float64]:
    """(n,) how likely a positive decision is if one of the models, each of a weight, is drawn."""
    weights, decisions = zip(*predicted, strict=True)
    return np.average(np.stack(decisions), axis=0, weights=weights)


def _difference(gamma: Any) -> float:
    """The largest between two groups; gamma has (sign, event, group) for its index.

    For the sign "-", it is how far a group's share is above everyone's.
    """
    by_group = gamma["-"].unstack()
    return float((by_group.max(axis=1) - by_group.min(axis=1)).max())


def _decided(positive: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.stack([~positive, positive], 1).astype(np.float32)


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "groups are made equal by fairlearn, which is not installed; run: pip install fairlearn"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """What fairlearn itself calls of pandas that pandas will change; warnings of models stay."""
    with warnings.catch_warnings():
        for message in ("Setting a value on a Series via .at", "Setting an item of incompatible"):
            for category in (DeprecationWarning, FutureWarning):
                warnings.filterwarnings("ignore", message, category, r"fairlearn\.")
        yield
