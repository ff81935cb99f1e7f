from __future__ import annotations

import pytest
import torch

from burnish.codecs import (
    Context,
    Dgc,
    Guarded,
    Half,
    Identity,
    IncompatibleCodec,
    Int8,
    LayoutMismatch,
    MajoritySign,
    MaskedSign,
    NotFinite,
    Qsgd,
    SignMean,
    Srht,
    TopK,
    guarded_as_may_be,
    members,
)
from burnish.errors import ConfigError

SIZE = 64


def test_gain_and_residual_are_the_formulas(through, drawn):
    """P = X + e; a = <P, P^> / ||P^||^2; e <- P - a P^."""
    inner, asked, residual = Qsgd(SIZE), Context(1, 0), torch.zeros(SIZE)
    guarded = Guarded(inner)
    for seed in range(4):
        wanted = drawn(SIZE, seed) + residual
        decoded = inner.decode(inner.encode(wanted, Context(1, 0)))
        gain = (wanted @ decoded) / (decoded @ decoded)
        received = through(guarded, drawn(SIZE, seed), asked)
        assert torch.allclose(received, gain * decoded, atol=1e-5)
        assert torch.equal(asked.memory["residual"], wanted - received)
        residual = asked.memory["residual"]


def test_the_error_is_what_the_cosine_leaves(through, drawn):
    """||X - a X^||^2 = (1 - cos^2) ||X||^2, as the specification of the gain promises."""
    vector = drawn(SIZE)
    received = through(Guarded(TopK(SIZE, k=4), error_feedback=False), vector)
    cosine = torch.cosine_similarity(vector, received, dim=0)
    error = (vector - received).square().sum()
    assert float(error) == pytest.approx(float((1 - cosine**2) * vector.square().sum()), rel=1e-4)


def test_gains_of_linear_codecs_go_into_their_tensors(drawn):
    vector = drawn(SIZE)
    linear, other = Guarded(Srht(SIZE, k=8)), Guarded(Qsgd(SIZE))
    assert linear.linear
    assert not other.linear
    assert linear.encode(vector, Context(1, 0)).header.gain == 1
    assert 0 < other.encode(vector, Context(1, 0)).header.gain < 1


@pytest.mark.parametrize("codec", [SignMean(SIZE), Srht(SIZE, k=8), TopK(SIZE, k=4)])
def test_zeros_arrive_as_zeros(through, codec):
    guarded, asked = Guarded(codec, fallback=Identity(SIZE)), Context(1, 0)
    payload = guarded.encode(torch.zeros(SIZE), asked)
    assert payload.header.codec == codec.name
    assert not guarded.decode(payload).any()
    assert not asked.memory["residual"].any()


def test_without_safeguards_payloads_are_the_codecs(through, drawn):
    vector = drawn(SIZE)
    bare = Guarded(SignMean(SIZE), error_feedback=False, gain=False)
    asked = Context(1, 0)
    assert torch.equal(through(bare, vector, asked), through(SignMean(SIZE), vector))
    assert asked.memory == {}


def test_a_fallback_of_the_same_name_is_told_apart(through, drawn):
    vector = drawn(SIZE)
    guarded = Guarded(Int8(SIZE, block=64), fallback=Int8(SIZE, block=8), least_cosine=1.0)
    payload = guarded.encode(vector, Context(1, 0))
    assert torch.equal(guarded.decode(payload), Int8(SIZE, block=8).decode(payload))
    assert torch.allclose(through(guarded, vector), vector, atol=0.03)
    assert len(members(guarded)) == 2


def test_a_payload_of_neither_is_refused(drawn):
    guarded = Guarded(TopK(SIZE, k=4), fallback=Identity(SIZE))
    with pytest.raises(LayoutMismatch, match="top-k or fp32, got one of top-k"):
        guarded.decode(TopK(SIZE, k=5).encode(drawn(SIZE), Context(1, 0)))


def test_what_a_fallback_sends_instead_is_not_counted_as_sent_twice(drawn):
    """The codec that keeps what it leaves out has sent nothing, and remembers it so."""
    guarded = Guarded(
        Dgc(SIZE, density=0.1), error_feedback=False, fallback=Identity(SIZE), least_cosine=0.9
    )
    asked = Context(10, 0)
    payload = guarded.encode(drawn(SIZE), asked)
    assert payload.header.codec == "fp32"
    assert asked.memory == {}


def test_the_fallbacks_memory_lies_apart(drawn):
    guarded = Guarded(MaskedSign(SIZE), error_feedback=False, fallback=Dgc(SIZE), least_cosine=1.0)
    asked = Context(1, 0)
    guarded.encode(drawn(SIZE), asked)
    first = asked.memory["fallback.dgc.velocity"].clone()
    guarded.encode(drawn(SIZE), asked)
    assert set(asked.memory) == {"fallback.dgc.velocity", "fallback.dgc.waiting"}
    assert not torch.equal(asked.memory["fallback.dgc.velocity"], first)


def test_what_overflows_leaves_memory_as_it_was(drawn):
    guarded, asked = Guarded(TopK(SIZE, k=1)), Context(1, 0)
    vector = torch.full((SIZE,), 2e38)
    guarded.encode(vector, asked)
    kept = asked.memory["residual"].clone()
    with pytest.raises(NotFinite):
        guarded.encode(vector, asked)
    assert torch.equal(asked.memory["residual"], kept)


def test_a_residual_of_another_size_is_refused():
    asked = Context(1, 0, memory={"residual": torch.zeros(1)})
    with pytest.raises(LayoutMismatch, match="residual in memory has shape"):
        Guarded(SignMean(SIZE)).encode(torch.ones(SIZE), asked)


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: Guarded(MajoritySign(SIZE)), IncompatibleCodec, "read together"),
        (lambda: Guarded(Guarded(SignMean(SIZE))), IncompatibleCodec, "guarded already"),
        (lambda: Guarded(Dgc(SIZE)), IncompatibleCodec, "fed it twice"),
        (lambda: Guarded(Half(SIZE), fallback=Dgc(SIZE)), IncompatibleCodec, "fed it twice"),
        (lambda: Guarded(Half(SIZE), fallback=Half(9)), LayoutMismatch, "one size"),
        (lambda: Guarded(Half(SIZE), least_cosine=1.1), ConfigError, "least_cosine is from"),
    ],
    ids=["joining", "twice", "feedback", "fallback's feedback", "sizes", "cosine"],
)
def test_guards_without_a_meaning_are_refused(make, kind, said):
    with pytest.raises(kind, match=said):
        make()


def test_codecs_get_the_safeguards_they_can_have():
    joining = MajoritySign(SIZE)
    assert guarded_as_may_be(joining) is joining
    assert guarded_as_may_be(SignMean(SIZE)).error_feedback
    assert not guarded_as_may_be(Dgc(SIZE)).error_feedback
