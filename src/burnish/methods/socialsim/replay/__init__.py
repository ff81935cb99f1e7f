"""A run as one offline page, and what goes into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.methods.socialsim.replay.page import Captions, write_replay

_HOME = {"page": ("Captions", "write_replay")}

__all__ = ["Captions", "write_replay"]


__getattr__ = lazily(__name__, _HOME)
