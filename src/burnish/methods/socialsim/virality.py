"""The shape of propagation trees: depth, subtree sizes, structural virality. Knows no posts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burnish.errors import DataError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Forest:
    """Trees over n nodes; every parent has a smaller number than its children.

    Attributes:
        parent: (n,); a root is its own parent.
        root: (n,) of the tree a node is in.
        depth: (n,) edges up to the root.
    """

    parent: Ints
    root: Ints
    depth: Ints

    @classmethod
    def of(cls, parent: NDArray[np.integer]) -> Forest:
        """Trees from parents: (n,); -1 or its own number marks a root. O(n log depth).

        Raises:
            DataError: a parent does not come before its child, so there may be a cycle.
        """
        own = np.arange(len(parent))
        above = np.where(parent < 0, own, parent).astype(np.int64)
        if late := int(np.count_nonzero(above > own)):
            first = int(np.argmax(above > own))
            raise DataError(
                f"{late} nodes have a parent that comes after them, first node {first} with "
                f"{above[first]}; order nodes by time"
            )
        root, depth = above, (above != own).astype(np.int64)
        while np.any((further := root[root]) != root):  # each turn doubles the reach
            depth = depth + depth[root]
            root = further
        return cls(above, root, depth)

    @property
    def sizes(self) -> Ints:
        """(n,) nodes of the tree, at its root; 0 elsewhere."""
        return np.bincount(self.root, minlength=len(self.root))

    def subtree_sizes(self) -> Ints:
        """(n,) nodes in the subtree of each node, itself included. O(n) adds, level by level."""
        size = np.ones(len(self.parent), np.int64)
        below = np.flatnonzero(self.depth)
        below = below[np.argsort(self.depth[below], kind="stable")]
        ends = np.cumsum(np.bincount(self.depth[below])) if len(below) else np.zeros(1, np.int64)
        for level in range(len(ends) - 1, 0, -1):
            nodes = below[ends[level - 1] : ends[level]]
            np.add.at(size, self.parent[nodes], size[nodes])
        return size


def structural_virality(forest: Forest) -> Floats:
    """Mean distance between two nodes of a tree, at its root.

    Each edge lies on the paths between its subtree of s nodes and the other n - s, so the sum over
    pairs is the sum over edges of s(n - s).

    Returns:
        (n,) in edges, at least 1; NaN at trees of one node, and where no root is.

    Source: Goel et al. 2016, Management Science 62(1), eq. 1, in O(n) in place of all pairs.
    """
    size = forest.subtree_sizes()
    below = np.flatnonzero(forest.depth)
    root, part = forest.root[below], size[below].astype(np.float64)
    whole = size[root]
    total = np.bincount(root, weights=part * (whole - part), minlength=len(size))
    pairs = size * (size - 1.0) / 2
    is_tree = (forest.depth == 0) & (size > 1)
    mean = np.full(len(size), np.nan)
    np.divide(total, pairs, out=mean, where=is_tree)
    return mean
