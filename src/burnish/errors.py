"""The error family: every error burnish raises on purpose derives from `BurnishError`.

A `UsageError` says that the call was wrong (exit code 2 on the command line); any other
`BurnishError` says that the work failed (exit code 1). Messages are one line: what was wanted,
what came, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BurnishError(Exception):
    """The work failed; `exit_code` is what the command line exits with."""

    exit_code = 1


class UsageError(BurnishError, ValueError):
    """The call was wrong: a name, a value or a file that the caller can mend."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown, of the wrong type or out of range."""


class DataError(UsageError):
    """A user's file is missing, unreadable or has a wrong field; names file, line and field."""


class StructureError(DataError):
    """A document is not well formed; `line` is the offending line, from 1."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


class AssetError(BurnishError):
    """An asset cannot be fetched, verified or unpacked."""


class AssetMissing(AssetError):
    """An asset is not in the cache; the message names the command that fetches it."""


class ChatError(BurnishError):
    """A language model could not answer."""


class ContextOverflow(ChatError):
    """A prompt is longer than the model's context."""


class BudgetExceeded(BurnishError):
    """A token, cost or time budget is used up; what was done until then is kept."""


class MissingExtra(BurnishError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


class Interrupted(BurnishError):
    """The user stopped the work; the message says how to go on."""

    exit_code = 130  # what shells give a command that Ctrl-C ended


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say of an unknown name: the likeliest of the known ones, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"
