from __future__ import annotations

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from burnish.codecs import Image, Int8, Pca, codec_named, load_codec, save_codec
from burnish.codecs.wire import packed
from burnish.errors import DataError

IMAGE = Image(8, 16, torch.zeros(128, dtype=torch.uint8))
NAMES = ["int8", "top-k", "dgc", "qsgd", "masked-sign", "powersgd", "srht", "sketch", "shifted"]
ODD = [None, True, -1, 0, 1.5, 2**31 - 1, 2**40, 10**30, float("inf"), "x", "", [], {}]


def test_a_state_comes_back_bit_for_bit(tmp_path, drawn):
    codec = Pca.fit([drawn(50), drawn(50, 1)])
    save_codec(codec, tmp_path / "new" / "codec.safetensors")
    again = load_codec(tmp_path / "new" / "codec.safetensors")
    assert torch.equal(again.state_dict()["basis"], codec.basis)


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "codec.safetensors"
    for block in (8, 16):
        save_codec(Int8(100, block=block), path)
    assert load_codec(path).settings == {"block": 16}
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_shift_is_saved_with_the_codec_inside(tmp_path):
    codec = codec_named("shifted", IMAGE, settings={"codec": "powersgd", "codec.rank": 2})
    save_codec(codec, tmp_path / "codec")
    assert load_codec(tmp_path / "codec").settings == codec.settings


@pytest.mark.parametrize(
    "blob",
    [b"", b"\xff" * 100, packed({}, {}), packed({}, {"format": "burnish codec 1", "name": "fp32"})],
    ids=["empty", "noise", "no metadata", "half"],
)
def test_files_that_hold_no_codec_are_refused(tmp_path, blob):
    (tmp_path / "codec").write_bytes(blob)
    with pytest.raises(DataError, match="cannot be read as a codec"):
        load_codec(tmp_path / "codec")


def test_a_missing_file_is_refused_by_its_path(tmp_path):
    with pytest.raises(DataError, match=r"none\.safetensors cannot be read"):
        load_codec(tmp_path / "none.safetensors")


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(NAMES), data=st.data())
def test_settings_that_a_stranger_changed_make_a_codec_or_are_refused(tmp_path, name, data):
    """Such as a height of 10^30, for which no memory is taken."""
    codec = codec_named(name, IMAGE)
    told = dict(codec.settings)
    told[data.draw(st.sampled_from([*told, "more"]))] = data.draw(st.sampled_from(ODD))
    size = data.draw(st.sampled_from(["128", *map(str, ODD)]))
    metadata = {"format": "burnish codec 1", "name": name, "size": size}
    metadata["settings"] = json.dumps(data.draw(st.sampled_from([told, list(told), "x", None])))
    (tmp_path / "codec").write_bytes(packed(codec.state_dict(), metadata))
    try:
        found = load_codec(tmp_path / "codec")
    except DataError:
        return
    assert found.name == name
    assert found.size == int(size)
    assert 0 < found.nbytes() < 2**40


@pytest.mark.parametrize("sides", [{"height": 9}, {"height": 10**9}, {"width": -16}, {"width": 0}])
def test_sides_that_do_not_make_the_size_are_refused_before_memory_is_taken(tmp_path, sides):
    codec = codec_named("powersgd", IMAGE)
    metadata = {"format": "burnish codec 1", "name": "powersgd", "size": "128"}
    metadata["settings"] = json.dumps({**codec.settings, **sides})
    (tmp_path / "codec").write_bytes(packed({}, metadata))
    with pytest.raises(DataError, match=r"numbers from 1|is not the size 128"):
        load_codec(tmp_path / "codec")
