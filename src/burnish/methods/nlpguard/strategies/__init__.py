"""How texts that hold protected words are rewritten: MS1 to MS5 of the paper, and the mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.methods.nlpguard.strategies.named import (
        STRATEGIES,
        Means,
        strategy,
    )
    from burnish.methods.nlpguard.strategies.removal import SentenceRemoval, WordRemoval
    from burnish.methods.nlpguard.strategies.replacement import (
        Hypernym,
        Masking,
        WordReplacement,
        WordVariants,
        anything,
        unprotected,
    )

_HOME = {
    "named": ("STRATEGIES", "Means", "strategy"),
    "removal": ("SentenceRemoval", "WordRemoval"),
    "replacement": (
        "Hypernym",
        "Masking",
        "WordReplacement",
        "WordVariants",
        "anything",
        "unprotected",
    ),
}

__all__ = [
    "STRATEGIES",
    "Hypernym",
    "Masking",
    "Means",
    "SentenceRemoval",
    "WordRemoval",
    "WordReplacement",
    "WordVariants",
    "anything",
    "strategy",
    "unprotected",
]


__getattr__ = lazily(__name__, _HOME)
