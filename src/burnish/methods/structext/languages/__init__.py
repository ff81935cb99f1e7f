"""The eight languages: each draws documents with questions, and answers questions from text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from burnish.methods.structext.draws import Draws
from burnish.methods.structext.languages import (
    json_objects,
    markup,
    tables,
    trees,
    xml_elements,
    yaml_objects,
)
from burnish.methods.structext.languages.item import Asking, Item
from burnish.methods.structext.sample import Difficulty, Profile

MARKUPS = (markup.MARKDOWN, markup.LATEX, markup.ORG)

DRAW: Mapping[str, Callable[[Draws, Difficulty, Profile], list[Item]]] = {
    "tree": trees.draw,
    "csv": tables.draw,
    "json": json_objects.draw,
    "yaml": yaml_objects.draw,
    "xml": xml_elements.draw,
    **{each.language: partial(markup.draw, each) for each in MARKUPS},
}
"""By language: one document with a question for each of its rules, in their order."""

SOLVERS: Mapping[str, Callable[[str, Asking], str]] = {
    **trees.SOLVERS,
    **tables.SOLVERS,
    **json_objects.SOLVERS,
    **yaml_objects.SOLVERS,
    **xml_elements.SOLVERS,
    **{rule: solver for each in MARKUPS for rule, solver in markup.solvers(each).items()},
}
"""By rule: the answer to a question, from the text."""
