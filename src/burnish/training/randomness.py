"""Seeds from seeds, and randomness that leaves no trace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager


def derive(seed: int, *names: str | int) -> int:
    """A seed of 63 bits for one purpose: the same names give the same seed, on any machine."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's global generators, which dropout and initialisation draw from, are seeded inside.

    They are put back afterwards.
    """
    import torch  # here, so that deriving a seed draws it in not

    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
