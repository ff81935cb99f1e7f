"""From probes of core agents to the rule that acts like them.

A multinomial logit of the rule's features and roles is fitted to the probabilities with which core
agents act, with a ridge chosen by five folds and a temperature fitted on the folds. Folds and the
held-out part are made of whole personas: a rule that knows the personas it is tested on would only
have learnt them by heart.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from burnish.errors import DataError, UsageError
from burnish.evidence import Interval, bootstrap_mean
from burnish.methods.socialsim.rule_policy import FEATURES, KINDS, RuleCoefficients
from burnish.methods.socialsim.schema import ActionKind, Role

FORMAT = 1
RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_ROLE_RIDGE = 1e-4  # fixed: under a heavy ridge the rule becomes the role-marginal baseline
FOLDS = 5
HELD_OUT = 0.2
_BINS = 10
_TINY = 1e-12
_STEPS, _CONVERGED = 50, 1e-12  # of Newton's method; it stops once a step would gain so little
_SUBTRACTED = frozenset({"label", "inoculated", "seen"})  # the rule takes these off
_ACTIONS = tuple(ActionKind(kind).name.lower() for kind in range(KINDS + 1))

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """n probes and how core agents act on them.

    Attributes:
        features: (n, D) in the order of `FEATURES`.
        roles: (n,) `Role`.
        persona: (n,) whose probe it is.
        labelled: (n,) whether the post carried a label.
        probabilities: (n, 1 + KINDS) of none, like, repost, quote, reply, report.

    Raises:
        UsageError: the rows do not pair up, or the probabilities are none.
    """

    features: Matrix
    roles: NDArray[np.integer]
    persona: NDArray[np.integer]
    labelled: NDArray[np.bool_]
    probabilities: Matrix

    def __post_init__(self) -> None:
        n = len(self.features)
        lengths = {len(self.roles), len(self.persona), len(self.labelled), len(self.probabilities)}
        if lengths != {n} or self.features.shape[1:] != (len(FEATURES),):
            raise UsageError(f"answers pair up row by row, got {n} and {sorted(lengths)} rows")
        sums = self.probabilities.sum(axis=1)
        if self.probabilities.shape[1:] != (KINDS + 1,) or not np.allclose(sums, 1, atol=1e-6):
            raise UsageError(f"each probe needs {KINDS + 1} probabilities that sum to 1")

    def __len__(self) -> int:
        return len(self.features)

    def where(self, chosen: NDArray[np.bool_]) -> Answers:
        """Some of the rows."""
        return Answers(
            self.features[chosen],
            self.roles[chosen],
            self.persona[chosen],
            self.labelled[chosen],
            self.probabilities[chosen],
        )


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How well the rule agrees with core agents on personas it has not met.

    Attributes:
        js_nats: mean Jensen-Shannon divergence.
        marginal_js_nats: of the baseline that knows the role and nothing else.
        ece: expected calibration error, class by class.
        by_role, by_label: mean divergence of parts.
        probes: how many.
    """

    js_nats: float
    marginal_js_nats: float
    ece: float
    by_role: Mapping[str, float]
    by_label: Mapping[str, float]
    probes: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fitted rule; frozen, and kept as JSON.

    Attributes:
        core: identity of the model that was probed.
        weights: (KINDS, 1 + D): intercept and slopes in the order of `FEATURES`.
        roles: (roles, KINDS) added by role.
        temperature: the logits were divided by it; already in `weights` and `roles`.
        ridge: that was chosen.
        quality: on held-out personas.
        agreement: slope of the log-odds of a repost over none against agreement, with interval.
        label_effect: mean change of the same log-odds where a post is labelled, with interval.
        probes: all that were asked.
    """

    core: str
    weights: tuple[tuple[float, ...], ...]
    roles: tuple[tuple[float, ...], ...]
    temperature: float
    ridge: float
    quality: Quality
    agreement: Interval
    label_effect: Interval
    probes: int

    def coefficients(self) -> RuleCoefficients:
        """As the rule policy takes them."""
        table = np.asarray(self.weights)
        named = {
            name: tuple((-column if name in _SUBTRACTED else column).tolist())
            for name, column in zip(FEATURES, table[:, 1:].T, strict=True)
        }
        return RuleCoefficients(intercept=tuple(table[:, 0].tolist()), role=self.roles, **named)

    def probabilities(self, features: Matrix, roles: NDArray[np.integer]) -> Matrix:
        """(n, 1 + KINDS) for rows of features (n, D) and roles (n,)."""
        table = np.asarray(self.weights)
        return _softmax(table[:, 0] + features @ table[:, 1:].T + np.asarray(self.roles)[roles])

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        plain = {"format": FORMAT, "watermark": "synthetic", "actions": _ACTIONS[1:]}
        plain |= {"features": FEATURES, **asdict(self)}
        path.write_text(json.dumps(plain, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load_calibration(path: Path) -> Calibration:
    """What `Calibration.save` wrote.

    Raises:
        DataError: the file is missing, or is something else.
    """
    try:
        plain = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise DataError(f"{path} is no JSON; calibrate anew") from None
    found = plain.get("format") if isinstance(plain, dict) else None
    if found != FORMAT:
        raise DataError(f"{path} has format {found!r}, expected {FORMAT}; calibrate anew")
    if plain.get("features") != list(FEATURES) or plain.get("actions") != list(_ACTIONS[1:]):
        raise DataError(f"{path} is about other features or actions; calibrate anew")
    try:
        return _calibration(plain)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} lacks a part of a calibration ({error}); calibrate anew") from None


def calibrate(answers: Answers, *, core: str, seed: int) -> Calibration:
    """Fit the rule to core agents.

    Args:
        answers: the probes; at least `FOLDS` + 1 personas.
        core: identity of the model.
        seed: of the split into folds and the bootstrap.

    Raises:
        UsageError: there are too few personas to hold any out.
    """
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.unique(answers.persona))
    if len(people) <= FOLDS:
        raise UsageError(f"calibration needs more than {FOLDS} personas, got {len(people)}")
    out = max(1, round(HELD_OUT * len(people)))
    held = np.isin(answers.persona, people[:out])
    train, test = answers.where(~held), answers.where(held)
    ridge, temperature = _chosen(train, np.array_split(people[out:], FOLDS))
    weights, roles = _fit(train, ridge)
    rule = Calibration(
        core=core,
        weights=_rows(weights / temperature),
        roles=_rows(roles / temperature),
        temperature=temperature,
        ridge=ridge,
        quality=Quality(js_nats=0, marginal_js_nats=0, ece=0, by_role={}, by_label={}, probes=0),
        agreement=_agreement(answers, seed),
        label_effect=_label_effect(answers, seed),
        probes=len(answers),
    )
    return replace(rule, quality=_quality(rule, train, test))


def js_divergence(p: Matrix, q: Matrix) -> Matrix:
    """Jensen-Shannon divergence of rows of (n, K), in nats: (n,), from 0 to ln 2."""
    middle = (p + q) / 2
    found: Matrix = (_kl(p, middle) + _kl(q, middle)) / 2
    return found


def calibration_error(predicted: Matrix, target: Matrix) -> float:
    """Class-wise expected calibration error of (n, K) against probabilities (n, K).

    Predictions of a class go into ten bins of equal size; the gap between mean prediction and mean
    target is averaged over bins, by size, and over classes. Source: Kull et al. 2019,
    arXiv:1910.12656, section 2. Departure: bins of equal size, since most actions are rare, and
    targets that are probabilities.
    """
    gaps = []
    for own, wanted in zip(predicted.T, target.T, strict=True):
        order = np.argsort(own, kind="stable")
        gaps.append(
            sum(
                abs(float((own[part] - wanted[part]).sum()))
                for part in np.array_split(order, _BINS)
                if len(part)
            )
            / len(own)
        )
    return float(np.mean(gaps))


def role_marginal(train: Answers, roles: NDArray[np.integer]) -> Matrix:
    """The baseline: each role's mean probabilities, or everyone's where a role was not met."""
    overall = train.probabilities.mean(axis=0)
    table = {
        role: train.probabilities[train.roles == role].mean(axis=0)
        for role in np.unique(train.roles).tolist()
    }
    return np.stack([table.get(role, overall) for role in roles.tolist()])


def _chosen(train: Answers, folds: Sequence[NDArray[np.integer]]) -> tuple[float, float]:
    """The ridge with the least cross-entropy over the folds, and the temperature there."""
    best = (math.inf, RIDGES[0], 1.0)
    for ridge in RIDGES:
        logits, targets = [], []
        for fold in folds:
            out = np.isin(train.persona, fold)
            weights, roles = _fit(train.where(~out), ridge)
            part = train.where(out)
            logits.append(weights[:, 0] + part.features @ weights[:, 1:].T + roles[part.roles])
            targets.append(part.probabilities)
        loss, temperature = _tempered(np.concatenate(logits), np.concatenate(targets))
        best = min(best, (loss, ridge, temperature))
    return best[1], best[2]


def _tempered(logits: Matrix, targets: Matrix) -> tuple[float, float]:
    def loss(log_temperature: float) -> float:
        probabilities = _softmax(logits / math.exp(log_temperature))
        return float(-(targets * np.log(probabilities + _TINY)).sum(axis=1).mean())

    found = minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded", options={"xatol": 1e-6})
    return float(found.fun), float(math.exp(found.x))


def _fit(answers: Answers, ridge: float) -> tuple[Matrix, Matrix]:
    """Intercepts with slopes (KINDS, 1 + D), and roles (roles, KINDS), of the least penalised loss.

    The ridge is on slopes of standardised features; intercepts have none and roles hardly any.
    """
    mean, scale = answers.features.mean(axis=0), answers.features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    one_hot = np.eye(len(Role))[answers.roles]
    ones = np.ones((len(answers), 1))
    design = np.concatenate([ones, (answers.features - mean) / scale, one_hot], axis=1)
    penalty = np.full(design.shape[1], ridge)
    penalty[0], penalty[1 + len(FEATURES) :] = 0.0, _ROLE_RIDGE
    weights = _least(design, answers.probabilities, penalty)
    slopes = weights[:, 1 : 1 + len(FEATURES)] / scale
    intercept = weights[:, 0] - slopes @ mean
    return np.column_stack([intercept, slopes]), weights[:, 1 + len(FEATURES) :].T


def _least(design: Matrix, targets: Matrix, penalty: Matrix) -> Matrix:
    """Weights (KINDS, D) of the least cross-entropy plus penalty, by Newton's method.

    The loss is convex and has few weights, so that a handful of exact steps does what would take
    a first-order method thousands.
    """
    width = design.shape[1]
    weights = np.zeros((KINDS, width))
    for _ in range(_STEPS):
        own = _softmax(design @ weights.T)[:, 1:]
        gradient = (own - targets[:, 1:]).T @ design / len(design) + penalty * weights
        curvature = np.empty((KINDS, width, KINDS, width))
        for j in range(KINDS):
            for k in range(KINDS):
                share = own[:, j] * ((j == k) - own[:, k])
                curvature[j, :, k, :] = (design * share[:, None]).T @ design / len(design)
        curvature = curvature.reshape(KINDS * width, -1) + np.diag(np.tile(penalty, KINDS))
        step = np.linalg.solve(curvature, gradient.ravel()).astype(float).reshape(weights.shape)
        decrease = float((step * gradient).sum())
        if decrease < _CONVERGED:
            break
        weights = _stepped(partial(_loss, design, targets, penalty), weights, step, decrease)
    return weights


def _stepped(
    loss: Callable[[Matrix], float], weights: Matrix, step: Matrix, decrease: float
) -> Matrix:
    """As much of a step as lowers the loss, by halves."""
    value, length = loss(weights), 1.0
    while length > _CONVERGED:
        tried = weights - length * step
        if loss(tried) <= value - 1e-4 * length * decrease:
            return tried
        length /= 2
    return weights


def _loss(design: Matrix, targets: Matrix, penalty: Matrix, weights: Matrix) -> float:
    own = _softmax(design @ weights.T)
    entropy = -(targets * np.log(own + _TINY)).sum(axis=1).mean()
    return float(entropy + 0.5 * (penalty * weights**2).sum())


def _quality(rule: Calibration, train: Answers, test: Answers) -> Quality:
    predicted = rule.probabilities(test.features, test.roles)
    divergence = js_divergence(predicted, test.probabilities)
    marginal = js_divergence(role_marginal(train, test.roles), test.probabilities)
    roles = {
        Role(int(role)).name.lower(): float(divergence[test.roles == role].mean())
        for role in np.unique(test.roles)
    }
    labels = {
        name: float(divergence[test.labelled == marked].mean())
        for name, marked in (("labelled", True), ("plain", False))
        if (test.labelled == marked).any()
    }
    return Quality(
        js_nats=float(divergence.mean()),
        marginal_js_nats=float(marginal.mean()),
        ece=calibration_error(predicted, test.probabilities),
        by_role=roles,
        by_label=labels,
        probes=len(test),
    )


def _log_odds(answers: Answers) -> Matrix:
    none, repost = (answers.probabilities[:, kind] for kind in (ActionKind.NONE, ActionKind.REPOST))
    odds: Matrix = np.log(repost + _TINY) - np.log(none + _TINY)
    return odds


def _agreement(answers: Answers, seed: int) -> Interval:
    """Mean over personas of the slope of repost's log-odds against agreement."""
    odds, agree = _log_odds(answers), answers.features[:, FEATURES.index("agree")]
    slopes = []
    for person in np.unique(answers.persona):
        own = answers.persona == person
        centred = agree[own] - agree[own].mean()
        if (centred**2).sum() > 0:
            slopes.append(float((centred * odds[own]).sum() / (centred**2).sum()))
    return bootstrap_mean(slopes or [0.0], seed=seed)


def _label_effect(answers: Answers, seed: int) -> Interval:
    """Mean over personas of repost's log-odds on labelled posts less those on plain ones."""
    odds, gaps = _log_odds(answers), []
    for person in np.unique(answers.persona):
        own = answers.persona == person
        marked, plain = odds[own & answers.labelled], odds[own & ~answers.labelled]
        if len(marked) and len(plain):
            gaps.append(float(marked.mean() - plain.mean()))
    return bootstrap_mean(gaps or [0.0], seed=seed)


def _softmax(logits: Matrix) -> Matrix:
    """Probabilities (n, 1 + KINDS) of logits (n, KINDS) that compete with a none of 0."""
    full = np.concatenate([np.zeros((len(logits), 1)), logits], axis=1)
    full -= full.max(axis=1, keepdims=True)
    powers = np.exp(full)
    found: Matrix = powers / powers.sum(axis=1, keepdims=True)
    return found


def _kl(p: Matrix, q: Matrix) -> Matrix:
    found: Matrix = (p * (np.log(p + _TINY) - np.log(q + _TINY))).sum(axis=1)
    return found


def _rows(matrix: Matrix) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in matrix)


def _calibration(plain: dict[str, Any]) -> Calibration:
    weights, roles = np.asarray(plain["weights"], float), np.asarray(plain["roles"], float)
    if weights.shape != (KINDS, 1 + len(FEATURES)) or roles.shape != (len(Role), KINDS):
        raise ValueError(f"weights of shape {weights.shape} and roles of shape {roles.shape}")
    if not (np.isfinite(weights).all() and np.isfinite(roles).all()):
        raise ValueError("a weight is not finite")
    return Calibration(
        core=str(plain["core"]),
        weights=_rows(weights),
        roles=_rows(roles),
        temperature=float(plain["temperature"]),
        ridge=float(plain["ridge"]),
        quality=Quality(**plain["quality"]),
        agreement=Interval(**plain["agreement"]),
        label_effect=Interval(**plain["label_effect"]),
        probes=int(plain["probes"]),
    )
