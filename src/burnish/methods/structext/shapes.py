"""The trees under every language but csv, as flat lists in preorder."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

from burnish.errors import UsageError
from burnish.methods.structext.draws import Draws


def branching(depth: int, width: int) -> int:
    """Children of every node above the last level: int(depth * width)."""
    return int(depth * width)


def node_count(depth: int, width: int) -> int:
    """Nodes of the complete tree, its root included."""
    b = branching(depth, width)
    return depth + 1 if b == 1 else (b ** (depth + 1) - 1) // (b - 1)


@dataclass(frozen=True, eq=False)
class Shape:
    """A rooted ordered tree; node 0 is the root, nodes are numbered in preorder.

    Attributes:
        levels: (n,) level of each node, the root's is 0.
    """

    levels: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.levels)

    @cached_property
    def height(self) -> int:
        """Edges from the root to the deepest node."""
        return max(self.levels)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """(n,) parent of each node; -1 for the root."""
        trail = [-1] * (self.height + 2)
        parents = []
        for node, level in enumerate(self.levels):
            parents.append(trail[level])
            trail[level + 1] = node
        return tuple(parents)

    @cached_property
    def stops(self) -> tuple[int, ...]:
        """(n,) one past the last node of each node's subtree."""
        stops = [0] * len(self)
        last = [len(self)] * (self.height + 2)  # the next node at a level or above
        for node in range(len(self) - 1, -1, -1):
            level = self.levels[node]
            stops[node] = last[level]
            last[level:] = [node] * (len(last) - level)
        return tuple(stops)

    @cached_property
    def positions(self) -> tuple[int, ...]:
        """(n,) place of each node among its siblings, from 0."""
        seen: dict[int, int] = {}
        positions = []
        for parent in self.parents:
            positions.append(seen.get(parent, 0))
            seen[parent] = positions[-1] + 1
        return tuple(positions)

    @cached_property
    def closed_after(self) -> tuple[tuple[int, ...], ...]:
        """(n,) for each node, the nodes whose subtree ends with it, innermost first."""
        closed: list[tuple[int, ...]] = []
        trail: list[int] = []
        for node, following in enumerate((*self.levels[1:], 0)):
            trail.append(node)
            ending = len(trail) - following
            closed.append(tuple(trail[: -ending - 1 : -1]) if ending > 0 else ())
            del trail[following:]
        return tuple(closed)

    @cached_property
    def deepest(self) -> tuple[int, ...]:
        """Nodes at the greatest level, in document order."""
        return tuple(node for node, level in enumerate(self.levels) if level == self.height)

    @cached_property
    def access_paths(self) -> tuple[str, ...]:
        """(n,) how a program reaches each node: e.g. `obj["subs"][0]`."""
        paths = ["obj"]
        for parent, position in zip(self.parents[1:], self.positions[1:], strict=True):
            paths.append(f'{paths[parent]}["subs"][{position}]')
        return tuple(paths)

    def trail(self, node: int) -> list[int]:
        """Nodes from the root down to `node`."""
        trail = []
        while node >= 0:
            trail.append(node)
            node = self.parents[node]
        return trail[::-1]

    @cached_property
    def heading_paths(self) -> tuple[str, ...]:
        """(n,) sibling positions from 1, innermost first, in the words of the release.

        Only three levels have names: of a deeper node, the outermost three are told (D3).
        """
        paths = [""]
        nodes = zip(self.levels[1:], self.parents[1:], self.positions[1:], strict=True)
        for level, parent, position in nodes:
            if level > len(SECTIONS):
                paths.append(paths[parent])
                continue
            step = f"{position + 1}th {SECTIONS[level - 1]}"
            paths.append(f"{step} under {paths[parent]}" if level > 1 else step)
        return tuple(paths)


_PRINTABLE_DIGITS = 15
SECTIONS = ("section", "subsection", "subsubsection")


@lru_cache(maxsize=64)
def complete(depth: int, branches: int) -> Shape:
    """Every node above level `depth` has exactly `branches` children."""

    def below(level: int) -> tuple[int, ...]:
        return (level,) if level == depth else (level, *below(level + 1) * branches)

    return Shape(below(0))


def drawn(draws: Draws, depth: int, branches: int) -> Shape:
    """A tree of height U{ceil(depth/2)..depth} whose nodes have U{0..branches} children.

    One node a level, on the way to the height that was drawn, has at least one child; otherwise
    most trees would be far lower than asked for.
    """
    height = draws.between(-(-depth // 2), depth)
    levels: list[int] = []
    pending = [(0, True)]  # level, whether the way to the full height leads through here
    while pending:
        level, on_the_way = pending.pop()
        levels.append(level)
        if level == height:
            continue
        if on_the_way:
            children = draws.between(1, branches)
            heir = draws.below(children)
        else:
            children = draws.below(branches + 1)
            heir = -1
        pending.extend((level + 1, child == heir) for child in range(children))
    return Shape(tuple(levels))


def check_size(depth: int, width: int, columns: int, max_nodes: int) -> None:
    """Refuse dials below 1 and documents that would grow too large.

    Raises:
        UsageError: names the dial, or the predicted number of nodes.
    """
    for dial, value in (("depth", depth), ("width", width), ("columns", columns)):
        if not isinstance(value, int) or value < 1:
            raise UsageError(f"{dial} is a whole number from 1, got {value!r}")
    digits = depth * math.log10(branching(depth, width))
    nodes = node_count(depth, width) if digits < _PRINTABLE_DIGITS else None
    if nodes is None or nodes > max_nodes:
        size = f"{nodes}" if nodes else f"about 10^{digits:.0f}"
        raise UsageError(
            f"a document of depth {depth} and width {width} has up to {size} nodes, more than "
            f"max_nodes={max_nodes}; lower the dials or raise max_nodes"
        )
