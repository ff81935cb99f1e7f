import json
import math
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch

from burnish.codecs import (
    Certificate,
    Context,
    Guarded,
    Identity,
    Image,
    MajoritySign,
    ResNetCodec,
    SignMean,
    Snapshots,
    UnviableCodec,
    certify,
    fingerprint,
)
from burnish.codecs.base import VectorCodec
from burnish.codecs.certificate import require_viable, viability
from burnish.codecs.constant import Mean, Zero
from burnish.codecs.protocol import Part
from burnish.codecs.snapshots import Source
from burnish.errors import DataError

SIZE = 40
FACTOR = torch.tensor([0, 0, 0, 1] * 10, dtype=torch.uint8)
IMAGE = Image(5, 8, FACTOR)


@dataclass(frozen=True, eq=False)
class Scaled(VectorCodec):
    """Numbers of A times `a`, of B times `b`, and `plus` everywhere."""

    name: ClassVar[str] = "scaled"

    a: float = 1.0
    b: float = 1.0
    plus: float = 0.0

    def template(self, round):
        return {"values": Part(torch.float32, (self.size,))}

    def _compress(self, vector, context):
        return {"values": vector * torch.where(FACTOR == 0, self.a, self.b) + self.plus}

    def _expand(self, payload):
        return payload.tensors["values"].clone()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(seed, scale=1.0):
    return scale * torch.randn(SIZE, generator=generator(seed))


def records(folder, represent="delta", rounds=5, clients=3):
    snapshots = Snapshots.create(folder, Source(IMAGE, represent, "L", "I"))
    for round in range(1, rounds + 1):
        start = noise(round) if represent == "state" else torch.zeros(SIZE)
        made = {each: start + noise(100 * round + each, 0.1) for each in range(clients)}
        snapshots.append(round, start, made)
    return snapshots.all


def certified(codec, folder, **options):
    return certify(codec, records(folder, **options), generator())


def test_a_codec_without_loss_is_viable(tmp_path):
    found = certified(Identity(SIZE), tmp_path)
    assert (found.viable, found.reasons, found.finite) == (True, (), True)
    assert found.relative_errors == {"A": 0, "B": 0}
    assert found.update_cosine == pytest.approx(1)
    assert found.aggregate_cosine == pytest.approx(1)
    assert found.b_norm_ratio == pytest.approx(1)
    assert (found.energy_over_error, found.energy_over_mean_error) == (None, None)
    assert found.records == 15
    assert found.fingerprint == fingerprint(Identity(SIZE))


def test_errors_are_relative_to_the_energy_of_each_factor(tmp_path):
    found = certified(Scaled(SIZE, a=0.5, b=1.5), tmp_path)
    assert found.relative_errors == pytest.approx({"A": 0.25, "B": 0.25}, rel=1e-5)
    assert found.b_norm_ratio == pytest.approx(1.5, rel=1e-5)


def test_signal_to_noise_ratios_sum_or_average_the_error(tmp_path):
    found = certified(Scaled(SIZE, a=0.5, b=0.5), tmp_path)
    assert found.energy_over_error == pytest.approx(4, rel=1e-5)
    assert found.energy_over_mean_error == pytest.approx(4 * SIZE, rel=1e-5)


def by_hand(codec, held, subtract):
    """Mean cosine of records, and of the sums of rounds."""

    def change(vector, start):
        return (vector - start if subtract else vector).double()

    def cosine(a, b):
        return float(a @ b / a.norm() / b.norm())

    own, joint = [], []
    for group in held.by_round():
        pairs = []
        for each in group:
            payload = codec.encode(each.vector, Context(each.round, each.client, "L", "I"))
            sent = change(codec.decode(payload), each.start)
            pairs.append((change(each.vector, each.start), sent))
        own += [cosine(*pair) for pair in pairs]
        joint.append(cosine(sum(a for a, _ in pairs), sum(b for _, b in pairs)))
    return math.fsum(own) / len(own), math.fsum(joint) / len(joint)


@pytest.mark.parametrize("represent", ["delta", "state"])
@pytest.mark.parametrize("codec", [SignMean(SIZE), Scaled(SIZE, a=0.9, b=0.2, plus=0.01)])
def test_cosines_are_of_updates_one_by_one_and_of_their_means(tmp_path, represent, codec):
    held = records(tmp_path, represent)
    found = certify(codec, held, generator())
    own, joint = by_hand(codec, held, represent == "state")
    assert found.update_cosine == pytest.approx(own, abs=1e-5)
    assert found.aggregate_cosine == pytest.approx(joint, abs=1e-5)


def test_of_states_a_small_error_may_drown_the_update(tmp_path):
    found = certified(Scaled(SIZE, a=0.9, b=0.9), tmp_path, represent="state")
    assert found.relative_errors["A"] == pytest.approx(0.01, rel=1e-3)
    assert found.update_cosine < 0.9
    assert not found.viable


def test_payloads_that_are_read_together_are_joined(tmp_path):
    held = records(tmp_path)
    votes = certify(MajoritySign(SIZE), held, generator())
    expected = []
    for group in held.by_round():
        vectors = torch.stack([each.vector for each in group]).double()
        joint = vectors.sign().sum(0).sign() * vectors.abs().mean(1).mean()
        mean = vectors.mean(0)
        expected.append(float(joint @ mean / joint.norm() / mean.norm()))
    assert votes.aggregate_cosine == pytest.approx(math.fsum(expected) / 5, abs=1e-5)
    alone = certify(SignMean(SIZE), held, generator())
    assert votes.aggregate_cosine != pytest.approx(alone.aggregate_cosine, abs=1e-3)


@pytest.mark.parametrize("codec", [Zero(SIZE), Mean.fit([noise(1), noise(2)])])
def test_decoders_that_look_at_nothing_are_told(tmp_path, codec):
    found = certified(codec, tmp_path)
    assert not found.input_dependent
    assert found.matched_share == 0
    assert found.matched_error == pytest.approx(found.shuffled_error)
    assert any("nearer to their own inputs" in line for line in found.reasons)


def test_even_a_weak_trace_of_the_input_is_told(tmp_path):
    found = certified(Scaled(SIZE, a=0.01, b=0.01, plus=1.0), tmp_path)
    assert found.input_dependent
    assert found.matched_share == 1
    assert found.matched_error < found.shuffled_error
    assert not found.viable


def test_pairs_are_drawn_from_the_generator_when_there_are_many(tmp_path):
    held = records(tmp_path, rounds=8)
    one, same, other = (
        certify(SignMean(SIZE), held, generator(seed)).matched_error for seed in (0, 0, 1)
    )
    assert one == same != other


def test_a_single_record_has_no_other_to_be_taken_for(tmp_path):
    found = certified(Identity(SIZE), tmp_path, rounds=1, clients=1)
    assert (found.matched_share, found.shuffled_error, found.input_dependent) == (None, None, False)
    assert "none of the pairs" in found.reasons[0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_decoder_that_overflows_is_not_finite(tmp_path, bad):
    found = certified(Scaled(SIZE, plus=bad), tmp_path)
    assert (found.finite, found.viable) == (False, False)
    assert found.reasons == ("decoded vectors hold NaN or infinity",)
    assert json.dumps(found.as_dict(), allow_nan=False)


def test_factors_without_energy_have_no_relative_error(tmp_path):
    snapshots = Snapshots.create(tmp_path, Source(IMAGE, "delta"))
    for round in (1, 2, 3):
        snapshots.append(round, torch.zeros(SIZE), {0: noise(round) * (FACTOR == 0)})
    exact = certify(Identity(SIZE), snapshots.all, generator())
    assert exact.relative_errors == {"A": 0, "B": 0}
    wrong = certify(Scaled(SIZE, plus=0.1), snapshots.all, generator())
    assert wrong.relative_errors["B"] is None
    assert "relative squared error of B is none, wanted below 1" in wrong.reasons


def test_nothing_is_certified_on_nothing(tmp_path):
    held = Snapshots.create(tmp_path, Source(IMAGE, "delta")).heldout
    with pytest.raises(DataError, match="needs held-out records, got none"):
        certify(Zero(SIZE), held, generator())


GOOD = Certificate(
    codec="any",
    fingerprint="f",
    represent="delta",
    records=8,
    finite=True,
    relative_errors={"A": 0.1, "B": 0.1},
    update_cosine=0.95,
    aggregate_cosine=0.95,
    b_norm_ratio=1.0,
    matched_error=0.1,
    shuffled_error=2.0,
    matched_share=1.0,
    energy_over_error=10.0,
    energy_over_mean_error=400.0,
)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"relative_errors": {"A": 1.0, "B": 0.1}}, "error of A is 1, wanted below 1"),
        ({"relative_errors": {"A": 0.1, "B": math.nan}}, "error of B is nan"),
        ({"update_cosine": 0.899}, "update cosine is 0.899, wanted at least 0.9"),
        ({"update_cosine": None}, "update cosine is none"),
        ({"aggregate_cosine": 0.2}, "aggregate cosine is 0.2, wanted at least 0.9"),
        ({"b_norm_ratio": 0.49}, "norm ratio of B is 0.49, wanted from 0.5 to 2.0"),
        ({"b_norm_ratio": 2.01}, "norm ratio of B is 2.01"),
        ({"b_norm_ratio": None}, "norm ratio of B is none"),
        ({"matched_share": 0.5}, "in 0.5 of the pairs, wanted at least 0.9"),
    ],
)
def test_each_criterion_alone_makes_a_codec_unviable(change, line):
    found = replace(GOOD, **change)
    assert not found.viable
    assert len(found.reasons) == 1
    assert line in found.reasons[0]


@pytest.mark.parametrize(
    "change",
    [
        {"update_cosine": 0.9, "aggregate_cosine": 0.9},
        {"b_norm_ratio": 0.5},
        {"b_norm_ratio": 2.0},
        {"relative_errors": {"A": 0.999, "B": 0.999}},
        {"relative_errors": {"all": 0.5}, "b_norm_ratio": None},
    ],
)
def test_what_just_meets_the_criteria_is_viable(change):
    assert replace(GOOD, **change).viable


def test_a_certificate_survives_json(tmp_path):
    told = json.loads(json.dumps(certified(SignMean(SIZE), tmp_path).as_dict(), allow_nan=False))
    assert Certificate.from_dict(told).as_dict() == told


def test_verdicts_are_not_taken_from_a_file():
    told = {**replace(GOOD, update_cosine=0.0).as_dict(), "viable": True, "reasons": []}
    assert not Certificate.from_dict(told).viable


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("update_cosine", "high"),
        ("finite", "yes"),
        ("codec", None),
        ("records", [1]),
        ("relative_errors", [0.1]),
        ("relative_errors", {"A": "low"}),
    ],
)
def test_a_certificate_with_other_types_is_refused(name, value):
    with pytest.raises(DataError, match="certify anew"):
        Certificate.from_dict({**GOOD.as_dict(), name: value})


def test_codecs_of_fixed_loss_need_no_certificate():
    assert viability(SignMean(SIZE)) == ()
    require_viable(SignMean(SIZE))


def test_a_learned_codec_needs_a_certificate_that_speaks_for_it():
    image = Image(128, 128, torch.zeros(128 * 128, dtype=torch.uint8))
    codec = ResNetCodec(image)
    with pytest.raises(UnviableCodec, match="autoencoder is not viable: it has no certificate"):
        require_viable(codec)
    good = replace(GOOD, fingerprint=fingerprint(codec))
    require_viable(codec.certified(good))
    bad = codec.certified(replace(good, update_cosine=0.1, b_norm_ratio=9.0))
    assert len(viability(bad)) == 2
    with pytest.raises(UnviableCodec, match=r"update cosine is 0\.1.*; norm ratio of B is 9"):
        require_viable(bad)
    require_viable(bad, allow_unviable=True)
    require_viable(Guarded(bad))
