import pytest
import torch

from burnish.codecs import Context, fingerprint, from_bytes, to_bytes
from burnish.codecs.constant import Mean, Zero
from burnish.errors import DataError

PAST = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, -5.0]])


def test_zero_decodes_to_zeros_whatever_it_is_given():
    codec = Zero(3)
    assert codec.decode(codec.encode(PAST[0], Context(1, 0))).tolist() == [0, 0, 0]


def test_the_mean_of_past_vectors_is_decoded_whatever_is_given():
    codec = Mean.fit(PAST)
    for vector in PAST:
        assert codec.decode(codec.encode(vector, Context(1, 0))).tolist() == [2, 2, -1]


def test_a_mean_is_part_of_the_codec():
    assert fingerprint(Mean.fit(PAST)) != fingerprint(Mean.fit(PAST[:1]))


@pytest.mark.parametrize("codec", [Zero(3), Mean.fit(PAST)], ids=lambda codec: codec.name)
def test_payloads_without_tensors_cross_the_wire(codec):
    assert codec.nbytes() == 0
    blob = to_bytes(codec.encode(PAST[0], Context(2, 1)))
    back = from_bytes(blob, codec, layout="", init="", round=2, client=1)
    assert back.tensors == {}


def test_no_vectors_have_no_mean():
    with pytest.raises(DataError, match="at least one vector, got none"):
        Mean.fit([])
