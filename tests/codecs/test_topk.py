from __future__ import annotations

import pytest
import torch

from burnish.codecs import Context, CorruptPayload, TopK
from burnish.errors import ConfigError


def test_keeps_the_largest_and_the_earlier_of_equals(through):
    vector = torch.tensor([1.0, -3.0, 2.0, 2.0, -2.0, 0.5])
    assert through(TopK(6, k=2), vector).tolist() == [0, -3, 2, 0, 0, 0]


@pytest.mark.parametrize("places", [[-1, 3], [3, 10], [3, 3], [5, 3], [0, 2**31 - 1]])
def test_places_that_do_not_increase_inside_the_vector_are_refused(places):
    codec = TopK(10, k=2)
    payload = codec.encode(torch.ones(10), Context(1, 0))
    payload.tensors["places"][:] = torch.tensor(places)
    with pytest.raises(CorruptPayload, match="places from 0 to 9"):
        codec.decode(payload)


@pytest.mark.parametrize("k", [0, 11])
def test_k_beyond_the_vector_is_refused(k):
    with pytest.raises(ConfigError, match="from 1 to the size 10"):
        TopK(10, k=k)
