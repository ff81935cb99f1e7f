"""Where accounts stand on the page: communities on a ring, hubs in the middle of each.

A layout by forces would take minutes for thousands of nodes and shows little more than this one,
which is the same for equal input and takes a sort.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_GOLDEN = np.pi * (3 - np.sqrt(5))
_GAP = 1.18  # of a disc's radius
_INNER = 24  # accounts of the innermost ring, in which places are swapped


@dataclass(frozen=True)
class Layout:
    """Places in the unit square.

    Attributes:
        nodes: (n, 2) of the accounts.
        centres: (B, 2) of the communities.
        radii: (B,).
    """

    nodes: Points
    centres: Points
    radii: NDArray[np.float64]


def place(
    community: NDArray[np.integer],
    sizes: NDArray[np.integer],
    pairs: NDArray[np.integer],
) -> Layout:
    """Places for the shown accounts.

    Args:
        community: (n,) of each shown account, 0 to B - 1.
        sizes: (B,) all accounts of each community; discs are as large as these.
        pairs: (m, 2) follows among the shown.
    """
    centres, radii = _discs(np.sqrt(np.maximum(1, sizes).astype(float)))
    degree = np.bincount(pairs.ravel(), minlength=len(community))
    nodes = centres[community].copy()
    order = np.lexsort((np.arange(len(community)), -degree, community))
    bounds = np.searchsorted(community[order], np.arange(len(sizes) + 1))
    pulls = _pulls(nodes, pairs)
    for own in range(len(sizes)):
        members = order[bounds[own] : bounds[own + 1]]
        slots = _sunflower(len(members)) * radii[own] * 0.92
        placed = _towards(members, slots, pulls[members] - centres[own])
        nodes[placed] = centres[own] + slots
    return Layout(nodes, centres, radii)


def _discs(weights: NDArray[np.float64]) -> tuple[Points, NDArray[np.float64]]:
    """Discs around a ring in their order, scaled to the unit square."""
    if len(weights) == 1:
        return np.array([[0.5, 0.5]]), np.array([0.46])
    arcs = weights / weights.sum() * 2 * np.pi
    angles = np.cumsum(arcs) - arcs / 2 - np.pi / 2
    # neighbours on the ring must not touch: the chord between centres is at least both radii
    turn = np.abs(np.diff(np.append(angles, angles[0] + 2 * np.pi)))
    chords = 2 * np.sin(np.minimum(turn, np.pi) / 2)
    ring = float((_GAP * (weights + np.roll(weights, -1)) / chords).max())
    scale = 0.5 / (ring + weights.max() * 1.05)
    centres = 0.5 + scale * ring * np.stack([np.cos(angles), np.sin(angles)], 1)
    return centres, scale * weights


def _sunflower(n: int) -> Points:
    """Places in the unit disc, from the middle outwards, evenly dense."""
    index = np.arange(n)
    radius, angle = np.sqrt((index + 0.5) / max(1, n)), index * _GOLDEN
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _pulls(nodes: Points, pairs: NDArray[np.integer]) -> Points:
    """For each account the mean place of those it has a follow with."""
    total, count = np.zeros_like(nodes), np.zeros(len(nodes))
    for one, other in ((0, 1), (1, 0)):
        np.add.at(total, pairs[:, one], nodes[pairs[:, other]])
        np.add.at(count, pairs[:, one], 1)
    return np.where(count[:, None] > 0, total / np.maximum(1, count)[:, None], nodes)


def _towards(members: NDArray[np.integer], slots: Points, pull: Points) -> NDArray[np.integer]:
    """The members in another order: within a ring of slots, by the side they are pulled to."""
    members = members.copy()
    wanted = np.arctan2(pull[:, 1], pull[:, 0])
    found = np.arctan2(slots[:, 1], slots[:, 0])
    first = 0
    while first < len(members):
        part = slice(first, first + max(_INNER, first // 2))
        by_slot = np.argsort(found[part], kind="stable")
        swapped = np.empty_like(members[part])
        swapped[by_slot] = members[part][np.argsort(wanted[part], kind="stable")]
        members[part] = swapped
        first = part.stop
    return members
