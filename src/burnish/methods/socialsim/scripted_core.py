"""A core agent that is a formula: reads the prompt and weighs the labels as a given rule would.

For trying prompts, cache, policy and calibration end to end without a model; it measures nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from burnish.methods.socialsim.prompting import UNREADABLE
from burnish.methods.socialsim.thinking import Weighed, Written

_LEANING = re.compile(r"leaning is ([+-]\d\.\d+)")
_BELIEF = re.compile(r"(\w+) ([+-]\d\.\d+)")
_ABOUT = re.compile(r"claim (\w+),")
_STANCE = re.compile(r"stance ([+-]\d\.\d+)\.")
_CREDIBILITY = re.compile(r"credibility (\d\.\d+)")
_SHARES = re.compile(r"Reposted by (\d+)")
_SEEN = re.compile(r"Seen (\d+) times")


class ScriptedThinker:
    """Weighs by agreement, shares, credibility and earlier showings, all read from the prompt.

    Args:
        agree, shares, trust, seen: slopes of like and repost (quote, reply and report get half
            with the opposite sign of `agree`), before any temperature.
        label: what a mark takes from a repost.
        says: what every text is.
    """

    def __init__(
        self,
        *,
        agree: float = 1.0,
        shares: float = 0.4,
        trust: float = 0.5,
        seen: float = -0.3,
        label: float = 0.0,
        says: str = "I doubt this claim.",
    ) -> None:
        self._slopes = (agree, shares, trust, seen, label)
        self._says = says

    @property
    def identity(self) -> str:
        """The formula's numbers."""
        return f"scripted:{self._slopes}:{self._says}"

    def weigh(self, opening: str, questions: Sequence[str], labels: Sequence[str]) -> list[Weighed]:
        """See `Thinker.weigh`; labels of the actions, in their order."""
        return [self._weighed(opening, question, len(labels)) for question in questions]

    def write(self, opening: str, question: str, *, max_tokens: int, seed: int) -> Written:
        """See `Thinker.write`."""
        return Written(self._says, len((opening + question).split()), len(self._says.split()))

    def _weighed(self, opening: str, question: str, labels: int) -> Weighed:
        logits = [0.0] * labels
        if question != UNREADABLE:
            agree, shares, trust, seen, label = self._slopes
            agreement, content = agree * _agreement(opening, question), 0.0
            content += shares * math.log1p(_number(_SHARES, question))
            content += trust * _number(_CREDIBILITY, question)
            content += seen * math.log1p(_number(_SEEN, question))
            for k in range(1, labels):
                logits[k] = content + (agreement if k <= 2 else -agreement / 2)
            logits[2] -= label * ("It carries" in question)
        total = math.log(sum(map(math.exp, logits)))
        words = len(opening.split()) + len(question.split())
        return Weighed(tuple(value - total for value in logits), words)


def _agreement(opening: str, question: str) -> float:
    about = _ABOUT.search(question)
    beliefs = dict(_BELIEF.findall(opening.rpartition("How far you believe")[2]))
    own = float(beliefs[about[1]]) if about else _number(_LEANING, opening)
    return 1 - abs(_number(_STANCE, question) - own) / 2


def _number(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.search(text)
    return float(found[1]) if found else 0.0
