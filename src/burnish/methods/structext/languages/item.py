"""What passes between the languages and those who generate or solve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from burnish.methods.structext.sample import Difficulty, Profile

Item = tuple[str, str, str]
"""Text, question and answer; a bare tuple because a small suite makes 200,000 of them a second."""


class Asking(NamedTuple):
    """A question, read.

    Attributes:
        variables: what stands in the question's gaps.
        wording: the profile that words it so; None where both do.
        profile: the generator the text comes from, where the caller knows.
        difficulty: the dials of the text, where the caller knows.
    """

    variables: Mapping[str, str]
    wording: Profile | None = None
    profile: Profile | None = None
    difficulty: Difficulty | None = None
