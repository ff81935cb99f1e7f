"""What models without feeds or beliefs would say of a countermeasure: SEIZ and independent cascade.

Both are fitted to the world without countermeasures and know a measure by one number: the factor
by which it changes the chance that a contact passes the claim on.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.columns import column
from burnish.methods.socialsim.epidemics import fit_seiz, seiz_curve
from burnish.methods.socialsim.loop import Run
from burnish.methods.socialsim.measuring import repost_ages, sharers_by_tick
from burnish.methods.socialsim.rule_policy import RuleCoefficients
from burnish.methods.socialsim.schema import NO_CLAIM, PostKind, Veracity
from burnish.methods.socialsim.spreading import independent_cascade
from burnish.methods.socialsim.world import BlueKind, BlueMeasure

_RUNS = 8  # of a cascade
_HALVINGS = 10  # of the interval in which an edge's probability is sought
_REPOST = 1  # place in a rule's tuples


def contact_factor(measure: BlueMeasure, ages: NDArray[np.integer]) -> float | None:
    """What a measure leaves of the chance that a contact passes the claim on, on average.

    What comes before the measure's delay is left alone, by the ages of reposts in a world without
    it. None for measures that do not act on contacts.

    Args:
        measure: a countermeasure.
        ages: (n,) ticks from a post to each of its reposts.
    """
    late = float((ages > measure.delay).mean()) if len(ages) else 0.0
    if measure.kind in (BlueKind.LABEL, BlueKind.DEBUNK):
        return 1 - late * (1 - math.exp(-measure.strength))
    if measure.kind is BlueKind.DOWNRANK:
        return 1 - late * (1 - measure.factor)
    if measure.kind is BlueKind.EXPIRE:
        return 1 - late
    if measure.kind is BlueKind.PREBUNK:
        slope = RuleCoefficients().inoculated[_REPOST]
        return 1 - measure.fraction * (1 - math.exp(-slope * min(1.0, measure.strength)))
    return None


def seiz_ratios(run: Run, factors: dict[str, float]) -> dict[str, float]:
    """Accounts that share in the end, measure over no measure, by the fitted equations.

    Args:
        run: without countermeasures.
        factors: of contact, by measure.
    """
    times = np.arange(run.ticks, dtype=np.float64)
    shared = sharers_by_tick(run) / len(run.state.agents)
    if not shared[-1]:
        return {}
    model, start = fit_seiz(times, shared)
    plain = seiz_curve(model, start, times)[2][-1]
    found = {}
    for name, factor in factors.items():
        changed = replace(
            model, contact=factor * model.contact, incubation=factor * model.incubation
        )
        found[name] = float(seiz_curve(changed, start, times)[2][-1] / plain)
    return found


def cascade_ratios(
    run: Run, factors: dict[str, float], generator: np.random.Generator
) -> dict[str, float]:
    """The same by independent cascades from whoever brought the claim up, over the follow graph.

    The one probability of an edge is that with which as many accounts share as did.
    """
    posts = run.table("posts")
    began = (column(posts, "kind") == PostKind.POST) & (column(posts, "claim") != NO_CLAIM)
    began &= column(posts, "veracity") == int(Veracity.FALSE)
    seeds = np.unique(column(posts, "author")[began])
    if not len(seeds):
        return {}
    start, follower = run.state.graph.reversed()

    def reached(probability: float) -> float:
        return float(
            independent_cascade(
                start, follower, probability, seeds, runs=_RUNS, generator=generator
            ).mean()
        )

    wanted, low, high = float(sharers_by_tick(run)[-1]), 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if reached(middle) < wanted else (low, middle)
    plain = reached(high)
    return {name: reached(factor * high) / plain for name, factor in factors.items()}


def predicted(
    run: Run, measures: dict[str, BlueMeasure], generator: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Ratios of both models for every measure that acts on contacts."""
    ages = repost_ages(run.table("posts"))
    known = {name: contact_factor(measure, ages) for name, measure in measures.items()}
    factors = {name: factor for name, factor in known.items() if factor is not None}
    return {
        "seiz": seiz_ratios(run, factors),
        "cascade": cascade_ratios(run, factors, generator),
    }
