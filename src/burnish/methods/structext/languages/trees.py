"""Trees as edge lists: one `father->child` a line, preorder."""

from __future__ import annotations

from dataclasses import dataclass

from burnish.errors import StructureError, UsageError
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.languages.item import Asking, Item
from burnish.methods.structext.names import LETTERS
from burnish.methods.structext.rules import RULES
from burnish.methods.structext.sample import Difficulty, Profile
from burnish.methods.structext.shapes import Shape, branching, complete, drawn

_HEIGHT, _DEPTH, _PATH = (RULES[rule].ask("official") for rule in ("tree.1", "tree.2", "tree.3"))
_ID_STARTS: dict[Profile, int] = {"official": 26, "corrected": 26 * 27}


def shape_of(draws: Draws, size: Difficulty, profile: Profile) -> Shape:
    """The tree of a document: complete in the official profile, drawn in the corrected one."""
    branches = branching(size.depth, size.width)
    if profile == "official":
        return complete(size.depth, branches)
    return drawn(draws, size.depth, branches)


def ids_of(draws: Draws, nodes: int, profile: Profile) -> list[str]:
    """Node ids in preorder from a counter whose start is drawn.

    The corrected profile starts anywhere among the names of one or two letters: 26 starts make
    so few small trees that the test item turns up among its own shots (D10).
    """
    return LETTERS.take(draws.below(_ID_STARTS[profile]), nodes)


def draw(draws: Draws, size: Difficulty, profile: Profile) -> list[Item]:
    """One tree and its three questions."""
    shape = shape_of(draws, size, profile)
    nodes = len(shape)
    ids = ids_of(draws, nodes, profile)
    edges = zip(shape.parents[1:], ids[1:], strict=True)
    text = "\n".join([f"{ids[parent]}->{child}" for parent, child in edges])
    leaf, target = draws.below(nodes), draws.below(nodes)
    return [
        (text, _HEIGHT, str(shape.height)),
        (text, _DEPTH % ids[leaf], str(shape.levels[leaf])),
        (text, _PATH % ids[target], "->".join([ids[node] for node in shape.trail(target)])),
    ]


@dataclass(frozen=True)
class _Tree:
    parents: dict[str, str]
    root: str

    def path(self, node: str) -> list[str]:
        if node != self.root and node not in self.parents:
            raise UsageError(f"the text has no node {node!r}; ask for one that it has")
        trail = [node]
        while trail[-1] != self.root:
            trail.append(self.parents[trail[-1]])
        return trail[::-1]


def _read(text: str) -> _Tree:
    parents: dict[str, str] = {}
    lines: dict[str, int] = {}
    fathers: dict[str, int] = {}
    for number, line in enumerate(text.rstrip("\n").split("\n"), 1):
        father, arrow, child = line.partition("->")
        if not (father and arrow and child) or "->" in child or line.split() != [line]:
            raise StructureError(f"wanted father->child, got {line!r}", line=number)
        if child in parents:
            raise StructureError(f"node {child!r} has a second father", line=number)
        parents[child] = father
        lines[child] = number
        fathers.setdefault(father, number)
    roots = [node for node in fathers if node not in parents]
    if not roots:
        raise StructureError("the edges go round in a circle, there is no root", line=1)
    if len(roots) > 1:
        raise StructureError(
            f"wanted one root, got {roots[0]!r} and {roots[1]!r}", line=fathers[roots[1]]
        )
    _check_connected(parents, roots[0], lines)
    return _Tree(parents, roots[0])


def _check_connected(parents: dict[str, str], root: str, lines: dict[str, int]) -> None:
    good = {root}
    for node in parents:
        trail = []
        while node not in good:
            if node in trail:
                raise StructureError(f"node {node!r} descends from itself", line=lines[node])
            trail.append(node)
            node = parents[node]
        good.update(trail)


def _levels(tree: _Tree) -> dict[str, int]:
    levels = {tree.root: 0}
    for node in tree.parents:
        trail = []
        while node not in levels:
            trail.append(node)
            node = tree.parents[node]
        for step, descendant in enumerate(reversed(trail), 1):
            levels[descendant] = levels[node] + step
    return levels


def height(text: str, asked: Asking) -> str:
    """tree.1: edges on the longest way from the root to a leaf."""
    del asked
    return str(max(_levels(_read(text)).values()))


def depth(text: str, asked: Asking) -> str:
    """tree.2: edges from the root to the node."""
    return str(len(_read(text).path(asked.variables["node"])) - 1)


def path(text: str, asked: Asking) -> str:
    """tree.3: ids from the root to the node."""
    return "->".join(_read(text).path(asked.variables["node"]))


SOLVERS = {"tree.1": height, "tree.2": depth, "tree.3": path}
