"""From a text to the claim it is about and the stance it takes, by words alone.

Ordinary agents read numbers, so what a core agent writes is mapped before anyone sees it: the
coupling of core and ordinary agents of HiSim (arXiv 2402.16333). Departure: a word list, where
HiSim asks a model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from burnish.methods.socialsim.schema import NO_CLAIM

SYNTHETIC = "[SYNTHETIC]"
_TEMPLATE = re.compile(r"claim (.{1,40}?), stance ([+-]\d(?:\.\d+)?)")
_TOKEN = re.compile(r"\w+")
_WORD = re.compile(r"[a-z']+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FOR = _words(
    "true agree agreed right correct confirmed confirm proof proven believe support supports "
    "indeed real fact facts yes exactly truth accurate certain sure convinced evidence important"
)
_AGAINST = _words(
    "false disagree wrong incorrect hoax fake rumour rumor lie lies doubt doubtful unproven "
    "debunked misleading nonsense refuted deny denied untrue myth baseless suspicious sceptical "
    "skeptical unverified inaccurate"
)
_TURNING = _words(
    "not no never isn't aren't wasn't don't doesn't didn't cannot can't won't hardly without"
)
_REACH = 3  # words that a negation turns


@dataclass(frozen=True)
class Reading:
    """What a text says.

    Attributes:
        claim: index, or NO_CLAIM where none is named.
        stance: -1 to 1; NaN where no word takes sides.
    """

    claim: int
    stance: float


@dataclass(frozen=True)
class Lexicon:
    """Reads texts.

    Attributes:
        codes: of the claims, in the order of their indices.
        keywords: code -> words that mean the claim, lower case, in case its code is not named.
    """

    codes: tuple[str, ...]
    keywords: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def read(self, text: str) -> Reading:
        """Claim and stance of a text; a template of ours is read exactly.

        The stance is tanh((for - against) / 2), where a negation turns the next three words.
        """
        exact = _TEMPLATE.search(text)
        if exact and exact[1] in self.codes:
            return Reading(self.codes.index(exact[1]), max(-1.0, min(1.0, float(exact[2]))))
        words = _WORD.findall(text.lower().replace("\u2019", "'"))
        return Reading(self._claim(text, words), _stance(words))

    def _claim(self, text: str, words: list[str]) -> int:
        named = [token for token in _TOKEN.findall(text) if token in self.codes]
        if named:
            return self.codes.index(named[0])
        hits = {
            claim: sum(word in self.keywords.get(code, ()) for word in words)
            for claim, code in enumerate(self.codes)
        }
        best = min(hits, key=lambda claim: (-hits[claim], claim), default=NO_CLAIM)
        return best if hits.get(best) else NO_CLAIM


def template(code: str, stance: float, topic: int) -> str:
    """The neutral text of a post that no model wrote: a code and a number, nothing that moves.

    Args:
        code: of the claim, or "" for none.
        stance: -1 to 1.
        topic: told where there is no claim.
    """
    about = f"claim {code}" if code else f"topic {topic}"
    return f"{SYNTHETIC} {about}, stance {stance:+.1f}"


def _stance(words: list[str]) -> float:
    balance, sided, turned = 0, False, 0
    for word in words:
        if word in _TURNING:
            turned = _REACH
            continue
        side = (word in _FOR) - (word in _AGAINST)
        sided |= side != 0
        balance += -side if turned else side
        turned = max(0, turned - 1)
    return math.tanh(balance / 2) if sided else math.nan
