from __future__ import annotations

import pytest
import torch

from burnish.codecs import Context, Guarded, MaskedSign
from burnish.errors import ConfigError


def test_masks_differ_by_round_and_client_and_cover_half(through, drawn):
    codec, vector = MaskedSign(1000), drawn(1000)
    first, again, other, peer = (
        through(codec, vector, Context(*place)) for place in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    for each in (first, other, peer):
        kept = each != 0
        assert int(kept.sum()) == 500
        assert torch.equal(each[kept].sign(), vector[kept].sign())
        assert torch.allclose(each[kept].abs(), vector[kept].abs().mean())
    assert torch.equal(first, again)
    assert not torch.equal(first != 0, other != 0)
    assert not torch.equal(first != 0, peer != 0)


@pytest.mark.parametrize("size", [1, 5, 64, 2**18 + 7])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.25, 2.0**-8])
def test_one_of_each_group_is_sent(through, size, share):
    each = round(1 / share)
    kept = through(MaskedSign(size, share=share), torch.ones(size)) != 0
    assert all(int(group.sum()) == 1 for group in kept.split(each)[-9:])
    assert int(kept.sum()) == -(-size // each)


def test_all_numbers_have_their_turn():
    codec = MaskedSign(401, share=0.25)
    payloads = (codec.encode(torch.ones(401), Context(round, 0)) for round in range(1, 201))
    turns = sum((codec.decode(each) != 0).int() for each in payloads)
    assert int(turns[:400].min()) >= 20
    assert int(turns[:400].max()) <= 90


def test_with_error_feedback_a_constant_update_arrives(through, drawn):
    codec, asked, update = Guarded(MaskedSign(200)), Context(1, 0), drawn(200)
    total = torch.zeros(200)
    for asked.round in range(1, 301):
        total += through(codec, update, asked)
    assert float((total / 300 - update).norm() / update.norm()) < 0.1


def test_a_share_that_is_no_power_is_refused():
    with pytest.raises(ConfigError, match="1/2, 1/4"):
        MaskedSign(100, share=0.3)
