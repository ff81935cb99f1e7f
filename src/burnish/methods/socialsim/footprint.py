"""How much memory a world takes, said before any is taken."""

from __future__ import annotations

import psutil

from burnish.errors import ConfigError
from burnish.methods.socialsim.world import World

_ACCOUNT = 47 + 4 * 4 + 64 + 16 + 8 + 4 + 3 * 4  # bytes: traits, ring, memory, rows, draws
_POSTS = 2 * 64  # room for two posts an account
_EDGE = 2 * 6 * 1.25 + 8  # bytes: places with room, twice while compacting, and while drawing
_REST = 400_000_000  # interpreter, libraries, compiled code


def estimate(world: World, n: int) -> int:
    """Bytes that `n` accounts take at most in a week of ticks, near enough."""
    beliefs = 8 * max(1, len(world.claims))
    edges = world.network.mean_degree * (_EDGE + 4)
    return int(_REST + n * (_ACCOUNT + _POSTS + beliefs + edges) * 1.35)


def check_memory(world: World, n: int) -> None:
    """Refuse a world that does not fit.

    Raises:
        ConfigError: the estimate is above what the machine has free.
    """
    needed, free = estimate(world, n), psutil.virtual_memory().available
    if needed > free:
        raise ConfigError(
            f"{n:,} accounts take about {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; "
            "use fewer accounts or a smaller mean_degree"
        )
