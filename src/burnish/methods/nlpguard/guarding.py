"""Mitigate again and again, until protected words are rare enough or accuracy suffers.

Knows no classifier, explainer or strategy: it is told what to do through callables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.moderating import MitigationError

Model = TypeVar("Model")
End = Literal["reached", "accuracy", "nothing new", "loss", "rounds"]


@dataclass(frozen=True)
class Reliance:
    """How much a classifier leans on protected words, and how good it is.

    Attributes:
        share: PA@N, of the most predictive words those that are protected, 0 to 1.
        accuracy: on held-out texts, 0 to 1.
        protected: the protected words among the most predictive.

    Raises:
        UsageError: share or accuracy is no share; NaN is none.
    """

    share: float
    accuracy: float
    protected: Protected

    def __post_init__(self) -> None:
        for name, value in (("share", self.share), ("accuracy", self.accuracy)):
            if not 0 <= value <= 1:
                raise UsageError(f"{name} is from 0 to 1, got {value}")


@dataclass(frozen=True)
class GuardRound(Generic[Model]):
    """One training, on data without the words of the rounds before.

    Attributes:
        model: trained.
        data: it was trained on.
        mitigated: the words that `data` was mitigated for; none in round 0.
        reliance: measured on `model`.
    """

    model: Model
    data: Any
    mitigated: Protected
    reliance: Reliance


@dataclass(frozen=True)
class Guarded(Generic[Model]):
    """What the guard did.

    Attributes:
        rounds: all of them, round 0 unmitigated.
        chosen: index of the round with the least share of those whose accuracy is good enough.
        end: why it stopped: the share was "reached"; "accuracy" fell too far; there was "nothing
            new" to take out; the next mitigation would be a "loss" of too much data; or all
            "rounds" were used.
    """

    rounds: tuple[GuardRound[Model], ...]
    chosen: int
    end: End

    @property
    def best(self) -> GuardRound[Model]:
        """The chosen round."""
        return self.rounds[self.chosen]


def guard(
    data: Any,
    *,
    train: Callable[[Any], Model],
    measure: Callable[[Model], Reliance],
    mitigate: Callable[[Any, Protected], Any],
    most_share: float,
    most_loss: float,
    most_rounds: int = 5,
) -> Guarded[Model]:
    """Train, measure, mitigate for all the words found so far, and train again.

    The protected words accumulate: what a round finds joins the words of all rounds before, so P
    only grows, and each mitigation starts anew from the unedited data. A word that was taken out in
    round 1 is still taken out in round 3, even if no list names it any more.

    Args:
        data: what the first model is trained on; every mitigation starts from it.
        train: data to model.
        measure: model to reliance, identified anew on its own list of most predictive words.
        mitigate: data and words to data without them.
        most_share: tau, the PA@N to reach, 0 to 1.
        most_loss: delta, how far accuracy may fall below that of the unmitigated model, 0 to 1.
        most_rounds: of mitigation.

    Raises:
        UsageError: a share is not from 0 to 1, or there are no rounds.
    """
    for name, value in (("most_share", most_share), ("most_loss", most_loss)):
        if not 0 <= value <= 1:
            raise UsageError(f"{name} is a share from 0 to 1, got {value}")
    if most_rounds < 1:
        raise UsageError(f"most_rounds is at least 1, got {most_rounds}")
    model = train(data)
    rounds = [GuardRound(model, data, Protected({}), measure(model))]
    floor = rounds[0].reliance.accuracy - most_loss
    end: End = "rounds"
    while True:
        last = rounds[-1]
        if last.reliance.accuracy < floor:
            end = "accuracy"
        elif last.reliance.share <= most_share:
            end = "reached"
        elif last.reliance.protected.keys() <= last.mitigated.keys():
            end = "nothing new"
        elif len(rounds) <= most_rounds:
            words = joined(last.mitigated, last.reliance.protected)
            try:
                edited = mitigate(data, words)
            except MitigationError:
                end = "loss"
                break
            model = train(edited)
            rounds.append(GuardRound(model, edited, words, measure(model)))
            continue
        break
    good = [at for at, each in enumerate(rounds) if each.reliance.accuracy >= floor]
    chosen = min(good, key=lambda at: rounds[at].reliance.share)
    return Guarded(tuple(rounds), chosen, end)


def joined(first: Protected, second: Protected) -> Protected:
    """The words of both; where they differ on a category, the first is right."""
    return Protected(
        {**second, **first},
        undecided=(*first.undecided, *second.undecided),
        overrides=(*first.overrides, *second.overrides),
    )
