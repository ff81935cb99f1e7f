"""The recommendation table that a dense ranker makes: every account by every young post."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.state import State

ROWS = 512  # accounts at a time, so that the table fits in memory


def dense_feeds(state: State, window: int, width: int) -> NDArray[np.uint32]:
    """The `width` best posts of the window for each account, (n, width), best first.

    Scores are those of our ranker `similarity_recency`, for all pairs, as OASIS refreshes its
    table each step.
    """
    rows = state.posts.rows
    first = state.posts.first[max(0, state.tick - window)]
    posts = np.arange(first, len(rows), dtype=np.uint32)
    posts = posts[rows["content"][posts] == posts]
    authors = rows["author"][posts]
    recency = np.log((271.8 - (state.tick - rows["tick"][posts].astype(np.float32))) / 100)
    ideology = state.agents.ideology
    best = np.empty((len(ideology), width), np.uint32)
    for begin in range(0, len(ideology), ROWS):
        mine = ideology[begin : begin + ROWS, None]
        score = (1 - np.abs(mine - ideology[authors]) / 2) * np.maximum(0.01, recency)
        top = np.argpartition(-score, width, axis=1)[:, :width]
        order = np.argsort(-np.take_along_axis(score, top, 1), axis=1)
        best[begin : begin + ROWS] = posts[np.take_along_axis(top, order, 1)]
    return best
