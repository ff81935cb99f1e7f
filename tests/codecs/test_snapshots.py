from pathlib import Path

import pytest
import torch

from burnish.codecs import Image, LayoutMismatch, NotFinite, Snapshots
from burnish.codecs.snapshots import Source
from burnish.errors import ConfigError, DataError, UsageError

FACTOR = torch.tensor([0, 1, 1] * 4, dtype=torch.uint8)
IMAGE = Image(4, 3, FACTOR)
MAPS = Path("/proc/self/maps")


def source(represent="delta", layout="L", init="I", image=IMAGE):
    return Source(image, represent, layout, init)


def vector(value):
    return torch.full((12,), float(value))


def collected(folder, rounds=10, represent="delta"):
    snapshots = Snapshots.create(folder, source(represent))
    for number in range(1, rounds + 1):
        made = {client: vector(10 * number + client) for client in (3, 1)}
        snapshots.append(number, vector(number), made)
    return snapshots


def test_what_is_appended_is_read_back_by_round_and_client(tmp_path):
    collected(tmp_path / "s", 2)
    records = Snapshots.open(tmp_path / "s").all
    assert [(each.round, each.client) for each in records] == [(1, 1), (1, 3), (2, 1), (2, 3)]
    assert torch.equal(records[1].vector, vector(13))
    assert torch.equal(records[-1].start, vector(2))
    assert [len(group) for group in records.by_round()] == [2, 2]
    assert torch.equal(torch.stack(list(records.vectors)), torch.stack([r.vector for r in records]))
    assert [each.client for each in records[1:3]] == [3, 1]


def test_a_collection_says_what_its_vectors_are(tmp_path):
    image = Image(4, 3, FACTOR, ("up", "down"))
    Snapshots.create(tmp_path / "s", source("grad", image=image))
    found = Snapshots.open(tmp_path / "s").source
    assert (found.represent, found.layout, found.init) == ("grad", "L", "I")
    assert (found.image.height, found.image.width) == (4, 3)
    assert found.image.factors == ("up", "down")
    assert torch.equal(found.image.factor, FACTOR)


def test_the_first_rounds_train_and_the_last_are_held_out(tmp_path):
    snapshots = collected(tmp_path, 10)
    assert snapshots.train.rounds == tuple(range(1, 9))
    assert snapshots.heldout.rounds == (9, 10)
    assert len(snapshots.heldout) == 4


@pytest.mark.parametrize(("rounds", "train", "held"), [(1, 1, 0), (2, 1, 1), (3, 2, 1), (7, 5, 2)])
def test_few_rounds_are_split_too(tmp_path, rounds, train, held):
    snapshots = collected(tmp_path, rounds)
    assert (len(snapshots.train.rounds), len(snapshots.heldout.rounds)) == (train, held)


def test_a_killed_collection_goes_on_after_the_last_whole_round(tmp_path):
    collected(tmp_path, 2)
    (tmp_path / "partial-round-000003.safetensors").write_bytes(b"half")
    resumed = Snapshots.create(tmp_path, source())
    assert resumed.rounds == (1, 2)
    resumed.append(3, vector(0), {0: vector(1)})
    assert resumed.rounds == (1, 2, 3)
    assert len(resumed.all) == 5


@pytest.mark.parametrize("round", [0, 1, 2])
def test_a_round_that_is_there_is_not_overwritten(tmp_path, round):
    snapshots = collected(tmp_path, 2)
    with pytest.raises(UsageError, match=f"is 3 or later and has vectors, got round {round}"):
        snapshots.append(round, vector(0), {0: vector(1)})
    with pytest.raises(UsageError, match="got round 3 with 0"):
        snapshots.append(3, vector(0), {})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (source("state"), "represent must be 'delta' .* got 'state'"),
        (source(layout="M"), "layout must be 'L'"),
        (source(init="J"), "init must be 'I'"),
        (source(image=Image(3, 4, FACTOR)), "image must be 4 x 3"),
        (source(image=Image(4, 3, 1 - FACTOR)), "image must be 4 x 3 with the same factors"),
    ],
)
def test_other_updates_are_not_added_to_a_collection(tmp_path, other, message):
    collected(tmp_path, 1)
    with pytest.raises(LayoutMismatch, match=message):
        Snapshots.create(tmp_path, other)


def test_a_state_stands_for_its_change_since_the_start(tmp_path):
    record = collected(tmp_path, 1, "state").all[0]
    assert torch.equal(record.vector, vector(11))
    assert torch.equal(record.update, vector(10))


@pytest.mark.parametrize("represent", ["delta", "grad"])
def test_deltas_and_gradients_are_updates_themselves(tmp_path, represent):
    record = collected(tmp_path, 1, represent).all[0]
    assert torch.equal(record.update, record.vector)


def test_collected_states_are_deltas_too(tmp_path):
    states = collected(tmp_path, 5, "state")
    deltas = states.seen_as("delta")
    assert deltas.source.represent == "delta"
    for delta, state in zip(deltas.train, states.train, strict=True):
        assert torch.equal(delta.vector, state.update)
        assert torch.equal(delta.update, state.update)
    assert torch.equal(deltas.all.vectors[0], vector(10))
    with pytest.raises(UsageError, match="vectors of kind 'state', which do not tell 'grad'"):
        states.seen_as("grad")


def test_draws_are_of_different_records_and_the_generator_alone_decides(tmp_path):
    records = collected(tmp_path, 5).all
    drawn = [records.draw(6, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert drawn[0].shape == (6, 12)
    assert len(set(drawn[0][:, 0].tolist())) == 6
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert len(records.draw(99, torch.Generator())) == 10


def test_nothing_can_be_drawn_from_no_records(tmp_path):
    with pytest.raises(DataError, match="no vectors to draw from"):
        Snapshots.create(tmp_path, source()).train.draw(1, torch.Generator())


@pytest.mark.skipif(not MAPS.exists(), reason="the system does not tell what is mapped")
def test_vectors_stay_on_disk_until_they_are_looked_at(tmp_path):
    collected(tmp_path, 1)
    found = Snapshots.open(tmp_path).all[0].vector
    assert str(tmp_path / "round-000001.safetensors") in MAPS.read_text()
    assert torch.equal(found, vector(11))


@pytest.mark.parametrize("bad", ["start", 1])
def test_diverged_vectors_are_refused_before_anything_is_written(tmp_path, bad):
    snapshots = Snapshots.create(tmp_path, source())
    broken = vector(0)
    broken[5] = float("nan")
    start, made = (broken, vector(1)) if bad == "start" else (vector(1), broken)
    with pytest.raises(NotFinite, match="got nan at index 5"):
        snapshots.append(1, start, {1: made})
    assert snapshots.rounds == ()


@pytest.mark.parametrize("bad", [torch.zeros(11), torch.zeros(12, dtype=torch.float64)])
def test_vectors_of_another_kind_are_refused(tmp_path, bad):
    with pytest.raises(LayoutMismatch, match="vectors of 12 float32 numbers"):
        Snapshots.create(tmp_path, source()).append(1, vector(0), {1: bad})


def test_a_folder_without_a_collection_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read as snapshots"):
        Snapshots.open(tmp_path)


@pytest.mark.parametrize("name", ["image", "round-000001"])
def test_broken_files_are_refused(tmp_path, name):
    collected(tmp_path, 1)
    (tmp_path / f"{name}.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(DataError, match=f"{name}.* cannot be read as snapshots"):
        _ = Snapshots.open(tmp_path).all[0]


def test_an_unknown_representation_is_refused():
    with pytest.raises(ConfigError, match="state, delta, grad, got 'weights'"):
        source("weights")
