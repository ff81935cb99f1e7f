"""How fast codecs are beside a plain copy of memory: `python benchmarks/codecs.py [--json]`.

Run it on an idle machine. One thread; every codec and the copy take turns, and the median of the
times counts. A small vector is copied from the processor's cache, so its ratios are the hard ones;
a large copy has the speed of fresh pages, unless the allocator still has used ones.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from _printing import print_all

from burnish.codecs import NAMES, Context, Image, codec_named

IMAGES = {"SmolLM2-135M, r=8": (576, 1600), "LLaMA-7B, r=8": (4096, 2048)}
WITHIN = {"int8": 10.0, "sign": 10.0, "top-k": 10.0}
SECONDS = 4.0


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _taking_turns(works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each, run in turn."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    begun = time.perf_counter()
    while time.perf_counter() - begun < SECONDS or len(taken["copy"]) < 4:
        for name, work in works.items():
            taken[name].append(_seconds(work))
    return {name: statistics.median(times) for name, times in taken.items()}


def throughput(height: int, width: int) -> list[dict[str, Any]]:
    """Encoding and decoding of every codec that needs no fitting."""
    torch.set_num_threads(1)
    size = height * width
    image = Image(height, width, torch.zeros(size, dtype=torch.uint8))
    vector = torch.randn(size, generator=torch.Generator().manual_seed(0)) * 1e-3
    rows = []
    # a projection of kseed takes half a minute, and its zeroth-order updates nothing
    for name in (each for each, offer in NAMES.items() if not offer.learned and each != "kseed"):
        codec = codec_named(name, image)

        def there_and_back(codec: Any = codec) -> None:
            codec.decode(codec.encode(vector, Context(1, 0)))

        there_and_back()
        times = _taking_turns({"copy": vector.clone, name: there_and_back})
        ratio = times[name] / times["copy"]
        rows.append(
            {
                "codec": name,
                "bytes": codec.nbytes(),
                "MB/s": 4e-6 * size / times[name],
                "copy MB/s": 4e-6 * size / times["copy"],
                "times a copy": ratio,
                "target": f"{WITHIN[name]:g}" if name in WITHIN else "",
            }
        )
    return rows


PARTS = {
    f"Encode and decode, {title}": partial(throughput, *sides) for title, sides in IMAGES.items()
}

if __name__ == "__main__":
    print_all(PARTS)
