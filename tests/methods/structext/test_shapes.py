import pytest

from burnish.errors import UsageError
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.shapes import Shape, check_size, complete, drawn, node_count

CELLS = {
    (1, 1): 2, (1, 2): 3, (1, 3): 4, (2, 1): 7, (2, 2): 21, (2, 3): 43,
    (3, 1): 40, (3, 2): 259, (3, 3): 820,
}  # fmt: skip


@pytest.mark.parametrize(("cell", "nodes"), CELLS.items())
def test_node_counts_are_the_published_ones(cell, nodes):
    depth, width = cell
    assert node_count(depth, width) == nodes == len(complete(depth, depth * width))


def by_hand(levels):
    parents = []
    for node, level in enumerate(levels):
        above = [other for other in range(node) if levels[other] == level - 1]
        parents.append(above[-1] if above else -1)
    return parents


@pytest.mark.parametrize("index", range(40))
def test_flat_lists_agree_with_the_tree(index):
    shape = drawn(Draws(b"%d" % index), 4, 3)
    parents = by_hand(shape.levels)
    assert list(shape.parents) == parents
    for node in range(len(shape)):
        inside = [other for other in range(len(shape)) if node in shape.trail(other)]
        assert inside == list(range(node, shape.stops[node]))
        siblings = [other for other in range(len(shape)) if parents[other] == parents[node]]
        assert siblings.index(node) == shape.positions[node]
    closed = [node for ended in shape.closed_after for node in ended]
    assert sorted(closed) == list(range(len(shape)))
    for last, ended in enumerate(shape.closed_after):
        assert all(shape.stops[node] == last + 1 for node in ended)
        assert list(ended) == sorted(ended, reverse=True)


def test_drawn_trees_reach_a_height_in_range():
    shapes = [drawn(Draws(b"%d" % index), 3, 3) for index in range(300)]
    assert {shape.height for shape in shapes} == {2, 3}
    assert max(max(shape.positions) for shape in shapes) == 2


def test_heading_paths_run_from_the_inside_out():
    shape = Shape((0, 1, 2, 1, 2, 2, 3))
    assert shape.heading_paths[6] == "1th subsubsection under 2th subsection under 2th section"
    assert shape.heading_paths[3] == "2th section"


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ((0, 1, 6), "depth is a whole number from 1, got 0"),
        ((1, 0, 6), "width is a whole number from 1, got 0"),
        ((1, 1, 0), "columns is a whole number from 1, got 0"),
        ((6, 1, 6), "has up to 55987 nodes, more than max_nodes=5000"),
        ((400, 9, 6), r"has up to about 10\^1423 nodes"),
    ],
)
def test_sizes_out_of_range_are_refused(dials, message):
    with pytest.raises(UsageError, match=message):
        check_size(*dials, 5000)
