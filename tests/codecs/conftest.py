"""What most codecs' tests do: draw a vector, and send it."""

from __future__ import annotations

import pytest
import torch

from burnish.codecs import Context, from_bytes, to_bytes


@pytest.fixture(scope="session")
def drawn():
    def draw(size, seed=0):
        return torch.randn(size, generator=torch.Generator().manual_seed(seed))

    return draw


@pytest.fixture(scope="session")
def through():
    """What a receiver decodes, after the wire."""

    def send(codec, vector, context=None):
        context = context or Context(1, 0)
        blob = to_bytes(codec.encode(vector, context))
        told = {"layout": context.layout, "init": context.init, "round": context.round}
        return codec.decode(from_bytes(blob, codec, **told))

    return send
