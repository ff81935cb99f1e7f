"""How what is shown moves what is believed.

Over the exposures e of one account to one claim in a tick (Hegselmann and Krause 2002, bounded
confidence, with the repulsion and the Friedkin anchoring of the specification):
b <- b + mu mean_e[w_e (sigma_e - b) 1(|sigma_e - b| <= epsilon)], and lambda b + (1 - lambda) b_0.
A weight is the author's credibility, less what a label takes, and for false posts what an
inoculated reader takes; a debunked post pulls the other way by the share `correction`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.acting import Feeds, Floats, Ids
from burnish.methods.socialsim.compiled import inlined, lean
from burnish.methods.socialsim.schema import Label, Veracity
from burnish.methods.socialsim.state import State
from burnish.methods.socialsim.world import BeliefForm, BeliefSettings

_MARKED = int(Label.WARNING | Label.NOTE)
_DEBUNKED = int(Label.DEBUNK)
_FALSE = int(Veracity.FALSE)


def update(state: State, settings: BeliefSettings, agents: Ids, feeds: Feeds) -> None:
    """Move the beliefs of `agents` by their feeds; Deffuant takes exposures one by one."""
    if not state.claims:
        return
    _update(
        agents,
        feeds.start,
        feeds.post,
        state.posts.rows,
        (state.agents.trust, state.agents.inoculation, state.prebunked),
        state.beliefs,
        state.first_beliefs,
        settings.form is BeliefForm.DEFFUANT,
        (
            settings.step,
            settings.confidence,
            settings.repulsion,
            settings.anchoring,
            settings.label_effect,
            settings.correction,
        ),
        np.zeros(len(state.claims)),
        np.zeros(len(state.claims), np.int64),
    )


@inlined
def _pull(
    belief: float,
    u: int,
    content: np.void,
    root: np.void,
    accounts: tuple[Floats, Floats, NDArray[np.uint8]],
    numbers: tuple[float, float, float, float, float, float],
) -> float:
    """W (sigma - b) of one exposure, bounded, repelled or corrected."""
    trust, inoculation, prebunked = accounts
    _, confidence, repulsion, _, label_effect, correction = numbers
    stance, labels = content["stance"], content["labels"] | root["labels"]
    weight = trust[content["author"]]
    if content["veracity"] == _FALSE:
        if labels & _DEBUNKED:
            return float(correction * (-stance - belief))
        if prebunked[content["claim"]]:
            weight *= 1.0 - inoculation[u]
    if labels & _MARKED:
        weight *= 1.0 - label_effect
    gap = stance - belief
    if abs(gap) <= confidence:
        return float(weight * gap)
    return float(-repulsion * weight * np.sign(gap))


@lean
def _update(
    agents: Ids,
    start: NDArray[np.int64],
    post: Ids,
    rows: NDArray[np.void],
    accounts: tuple[Floats, Floats, NDArray[np.uint8]],
    beliefs: Floats,
    first: Floats,
    one_by_one: bool,
    numbers: tuple[float, float, float, float, float, float],
    total: NDArray[np.float64],
    count: NDArray[np.int64],
) -> None:
    step, anchoring = numbers[0], numbers[3]
    claims = beliefs.shape[1]
    for a in range(len(agents)):
        u, touched = agents[a], False
        for e in range(start[a], start[a + 1]):
            content = rows[rows[post[e]]["content"]]
            c = content["claim"]
            if c < 0:
                continue
            touched = True
            pull = _pull(beliefs[u, c], u, content, rows[content["root"]], accounts, numbers)
            if one_by_one:
                beliefs[u, c] += step * pull
            total[c] += pull
            count[c] += 1
        if not touched:
            continue
        for c in range(claims):
            if count[c]:
                b = beliefs[u, c]
                if not one_by_one:
                    b += step * total[c] / count[c]
                b = anchoring * b + (1.0 - anchoring) * first[u, c]
                beliefs[u, c] = min(1.0, max(-1.0, b))
                total[c], count[c] = 0.0, 0
