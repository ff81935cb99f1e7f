import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import fft

from burnish.codecs import (
    Context,
    CorruptPayload,
    Image,
    LayoutMismatch,
    NotFinite,
    ResNetCodec,
    Snapshots,
    certify,
    codec_named,
    fingerprint,
    from_bytes,
    load_codec,
    save_codec,
    to_bytes,
)
from burnish.codecs.constant import Mean
from burnish.codecs.snapshots import Source
from burnish.errors import BurnishError, ConfigError, DataError, UsageError
from burnish.training import Checkpoint

SIDE = 128
FACTOR = (torch.arange(SIDE) % 16 >= 8).to(torch.uint8).repeat(SIDE)  # [A^T | B], r = 8
IMAGE = Image(SIDE, SIDE, FACTOR)
HERE = Context(1, 0, "L", "I")


def smooth(generator, waves=4):
    """An image of the lowest frequencies, at random; root mean square 1 on average."""
    coefficients = np.zeros((SIDE, SIDE), np.float32)
    drawn = torch.randn(waves, waves, generator=generator).numpy()
    coefficients[:waves, :waves] = drawn * SIDE / waves
    return torch.from_numpy(fft.idctn(coefficients, norm="ortho").reshape(-1))


def collected(folder, rounds=5, clients=4, scale=(1.0, 1.0), init="I"):
    snapshots = Snapshots.create(folder, Source(IMAGE, "delta", "L", init))
    generator = torch.Generator().manual_seed(0)
    factors = torch.tensor(scale)[FACTOR.long()]
    for round in range(1, rounds + 1):
        made = {client: smooth(generator) * factors for client in range(clients)}
        snapshots.append(round, torch.zeros(SIDE**2), made)
    return snapshots


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory):
    return collected(tmp_path_factory.mktemp("snapshots"))


@pytest.fixture(scope="module")
def fitted(snapshots):
    return ResNetCodec(IMAGE).fit(snapshots, steps=3)


def state_bytes(codec):
    return {name: each.numpy().tobytes() for name, each in codec.state_dict().items()}


class Stop(Exception):
    pass


def stop_after(step):
    def stop(at, loss):
        if at == step:
            raise Stop

    return stop


@pytest.mark.parametrize(("half", "each"), [(False, 4), (True, 2)])
@pytest.mark.parametrize("variant", ["paper", "wide"])
def test_a_payload_is_the_latent_and_a_header(variant, half, each):
    image = Image(130, 100, torch.zeros(13_000, dtype=torch.uint8))
    codec = ResNetCodec(image, variant=variant, half=half)
    vector = torch.randn(13_000, generator=torch.Generator().manual_seed(0))
    payload = codec.encode(vector, HERE)
    assert payload.tensors["latent"].shape == (64, 3, 2)  # 192 x 128 when padded
    assert codec.nbytes() == each * 192 * 128 // 64
    back = from_bytes(to_bytes(payload), codec, layout="L", init="I", round=1, client=0)
    decoded = codec.decode(back)
    assert decoded.shape == vector.shape
    assert torch.equal(decoded, codec.decode(payload))
    assert not codec.linear


def test_the_adapter_of_a_small_model_is_a_sixty_fourth():
    image = Image(576, 1600, torch.zeros(576 * 1600, dtype=torch.uint8))
    codec = ResNetCodec(image)
    assert codec.template(1)["latent"].shape == (64, 9, 25)
    assert codec.nbytes() == 57_600


def test_a_gain_in_the_header_is_applied(fitted, snapshots):
    payload = fitted.encode(snapshots.all[0].vector, HERE)
    tripled = replace(payload, header=replace(payload.header, gain=3.0))
    assert torch.allclose(fitted.decode(tripled), 3 * fitted.decode(payload))


def test_factors_of_other_sizes_decode_to_their_own_sizes(tmp_path):
    snapshots = collected(tmp_path, scale=(100.0, 0.01))
    codec = ResNetCodec(IMAGE).fit(snapshots, steps=2)
    numbers = torch.stack(list(snapshots.train.vectors))
    masks = [FACTOR == 0, FACTOR == 1]
    expected = [float(numbers[:, mask].square().mean().sqrt()) for mask in masks]
    assert codec.scale.tolist() == pytest.approx(expected, rel=1e-5)
    scaled = codec.scaled(numbers).reshape(len(numbers), -1)
    for mask in masks:
        assert float(scaled[:, mask].square().mean()) == pytest.approx(1, rel=1e-4)
    decoded = codec.decode(codec.encode(numbers[0], HERE))
    assert float(decoded[masks[1]].abs().max()) <= float(codec.scale[1])  # tanh ends at 1


def test_scaling_can_be_left_out(tmp_path):
    made = ResNetCodec(IMAGE, scaling="none").fit(collected(tmp_path, scale=(9.0, 0.1)), steps=1)
    assert made.scale.tolist() == [1, 1]


def test_a_factor_of_zeros_is_not_scaled(tmp_path):
    made = ResNetCodec(IMAGE).fit(collected(tmp_path, scale=(2.0, 0.0)), steps=1)
    assert made.scale[1] == 1
    assert made.scale[0] != 1


def test_training_is_a_matter_of_seed_and_snapshots(fitted, snapshots):
    random = torch.random.get_rng_state()
    again = ResNetCodec(IMAGE).fit(snapshots, steps=3)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert state_bytes(again) == state_bytes(fitted)
    assert fingerprint(again) == fingerprint(fitted)
    other = ResNetCodec(IMAGE, seed=1).fit(snapshots, steps=3)
    assert fingerprint(other) != fingerprint(fitted)


def test_the_codec_that_is_fitted_stays_as_it_was(snapshots):
    codec = ResNetCodec(IMAGE, variant="wide")
    before = state_bytes(codec)
    assert state_bytes(codec.fit(snapshots, steps=2)) != before
    assert state_bytes(codec) == before
    assert (codec.init, codec.layout) == ("", "")


@pytest.mark.parametrize("variant", ["paper", "wide"])
def test_a_killed_training_ends_with_the_same_weights(snapshots, tmp_path, variant):
    codec = ResNetCodec(IMAGE, variant=variant)
    whole = codec.fit(snapshots, steps=6)
    path = tmp_path / "checkpoint"
    with pytest.raises(Stop):
        codec.fit(snapshots, steps=6, on_step=stop_after(4), checkpoint=Checkpoint(path, seconds=0))
    steps = []
    resumed = codec.fit(
        snapshots,
        steps=6,
        on_step=lambda step, loss: steps.append(step),
        checkpoint=Checkpoint(path, seconds=0),
    )
    assert steps == [4, 5, 6]
    assert state_bytes(resumed) == state_bytes(whole)


def test_another_training_does_not_go_on_from_a_checkpoint(snapshots, tmp_path):
    path = tmp_path / "checkpoint"
    ResNetCodec(IMAGE).fit(snapshots, steps=1, checkpoint=Checkpoint(path, seconds=0))
    with pytest.raises(BurnishError, match="is of a training with other settings or snapshots"):
        ResNetCodec(IMAGE, seed=5).fit(snapshots, steps=2, checkpoint=Checkpoint(path))


def test_statistics_of_batches_stand_still_outside_training(fitted, snapshots):
    before = state_bytes(fitted)
    vector = snapshots.heldout[0].vector
    first, second = (fitted.encode(vector, HERE).tensors["latent"] for _ in range(2))
    assert torch.equal(first, second)
    assert state_bytes(fitted) == before
    assert not fitted.model.training


def test_every_step_is_told_with_its_loss(snapshots):
    told = []
    ResNetCodec(IMAGE, variant="wide").fit(
        snapshots, steps=20, learning_rate=1e-3, on_step=lambda *each: told.append(each)
    )
    assert [step for step, _ in told] == list(range(1, 21))
    assert told[-1][1] < told[0][1]


def test_bfloat16_trains_along_the_same_curve(snapshots):
    ends = []
    for precision in ("float32", "bfloat16"):
        losses = []
        ResNetCodec(IMAGE, variant="wide").fit(
            snapshots,
            steps=15,
            learning_rate=1e-3,
            precision=precision,
            on_step=lambda step, loss, losses=losses: losses.append(loss),
        )
        ends.append(losses)
    assert ends[0] != ends[1]
    assert ends[1] == pytest.approx(ends[0], rel=0.03)


def test_a_loss_that_diverges_ends_the_training(snapshots):
    with pytest.raises(BurnishError, match=r"loss became .* lower the learning rate"):
        ResNetCodec(IMAGE, variant="wide").fit(snapshots, steps=9, learning_rate=1e30)


def test_there_must_be_something_to_train_on(tmp_path):
    empty = Snapshots.create(tmp_path, Source(IMAGE, "delta"))
    with pytest.raises(DataError, match="no vectors to draw from"):
        ResNetCodec(IMAGE).fit(empty, steps=1)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (Context(1, 0, "L", "J"), "whose init is I, got J"),
        (Context(1, 0, "L", ""), "whose init is I, got none"),
        (Context(1, 0, "M", "I"), "whose layout is L, got M"),
    ],
)
def test_updates_of_another_initialisation_or_layout_are_refused(fitted, context, message):
    with pytest.raises(LayoutMismatch, match=message):
        fitted.encode(torch.zeros(SIDE**2), context)


def test_snapshots_of_another_initialisation_are_refused(fitted, tmp_path):
    with pytest.raises(LayoutMismatch, match="whose init is I, got J"):
        fitted.fit(collected(tmp_path, rounds=1, init="J"), steps=1)


@pytest.mark.parametrize(
    "image", [Image(64, 256, FACTOR), Image(SIDE, SIDE, 1 - FACTOR)], ids=["size", "factors"]
)
def test_snapshots_of_another_image_are_refused(snapshots, image):
    with pytest.raises(LayoutMismatch, match="the snapshots are of 128 x 128 or place A and B"):
        ResNetCodec(image).fit(snapshots, steps=1)


def test_a_file_gives_the_codec_back_with_its_certificate(fitted, snapshots, tmp_path):
    certificate = certify(fitted, snapshots.heldout, torch.Generator().manual_seed(0))
    path = tmp_path / "codec.safetensors"
    save_codec(fitted.certified(certificate), path)
    back = load_codec(path)
    assert fingerprint(back) == fingerprint(fitted)
    assert back.certificate.as_dict() == certificate.as_dict()
    vector = snapshots.heldout[0].vector
    payload = fitted.encode(vector, HERE)
    assert torch.equal(back.decode(payload), fitted.decode(payload))
    with pytest.raises(LayoutMismatch, match="whose init is I"):
        back.encode(vector, Context(1, 0, "L", "J"))


def test_a_certificate_of_another_codec_is_refused(fitted, snapshots):
    certificate = certify(fitted, snapshots.heldout, torch.Generator())
    with pytest.raises(UsageError, match="certify it anew"):
        ResNetCodec(IMAGE).certified(certificate)


def test_training_again_takes_the_certificate_away(fitted, snapshots):
    certificate = certify(fitted, snapshots.heldout, torch.Generator())
    assert fitted.certified(certificate).fit(snapshots, steps=1).certificate is None


def broken(state, name, change):
    return {**state, name: change(state[name])}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("factor", lambda each: each[1:]),
        ("factor", lambda each: each + 200),
        ("scale", lambda each: -each),
        ("scale", lambda each: each * float("nan")),
        ("scale", lambda each: each[None]),
        ("model.decoder.0.1.conv.weight", lambda each: each[:1]),
        ("model.decoder.0.1.conv.weight", lambda each: each.double()),
    ],
)
def test_a_state_that_does_not_fit_is_refused(fitted, name, change):
    with pytest.raises(LayoutMismatch, match=f"which differs in {name}"):
        ResNetCodec(IMAGE).with_state(broken(fitted.state_dict(), name, change))


def test_a_state_with_other_names_is_refused(fitted):
    state = fitted.state_dict()
    for bad in ({**state, "more": torch.zeros(1)}, dict(list(state.items())[:-1])):
        with pytest.raises(LayoutMismatch, match="which differs in"):
            ResNetCodec(IMAGE).with_state(bad)
    with pytest.raises(LayoutMismatch, match="which differs in"):
        ResNetCodec(IMAGE, variant="wide").with_state(state)


def test_a_file_with_a_broken_state_is_no_codec(fitted, tmp_path):
    path = tmp_path / "codec.safetensors"
    save_codec(fitted, path)
    save_codec(replace(fitted, variant="wide"), tmp_path / "other")  # settings and state disagree
    assert load_codec(path).settings == fitted.settings
    with pytest.raises(DataError, match="cannot be read as a codec: wanted the state of a wide"):
        load_codec(tmp_path / "other")


def test_latents_may_overflow_but_not_spread_what_is_not_finite():
    codec = ResNetCodec(IMAGE, variant="wide")
    payload = codec.encode(torch.ones(SIDE**2), HERE)
    payload.tensors["latent"].fill_(3e38)
    with pytest.raises(NotFinite, match="decoded autoencoder payload"):
        codec.decode(payload)


def test_half_precision_latents_stay_finite():
    codec = ResNetCodec(IMAGE, variant="wide", half=True)
    with torch.no_grad():
        for parameter in codec.model.encoder[-1].parameters():
            parameter.mul_(1e9)
    latent = codec.encode(torch.ones(SIDE**2), HERE).tensors["latent"]
    assert latent.dtype == torch.float16
    assert float(latent.abs().max()) == 65504


@pytest.mark.parametrize("bad", [torch.zeros(3), torch.full((SIDE**2,), float("nan"))])
def test_vectors_that_are_none_are_refused(bad):
    with pytest.raises((LayoutMismatch, NotFinite), match="vector"):
        ResNetCodec(IMAGE).encode(bad, HERE)


def test_a_payload_of_an_untrained_codec_is_not_read_by_a_trained_one(fitted):
    blob = to_bytes(ResNetCodec(IMAGE).encode(torch.ones(SIDE**2), HERE))
    with pytest.raises((LayoutMismatch, CorruptPayload), match="same codec file"):
        from_bytes(blob, fitted, layout="L", init="I", round=1)


def test_it_can_be_asked_for_by_name():
    codec = codec_named("autoencoder", IMAGE, settings={"variant": "wide", "half": True})
    assert fingerprint(codec) == fingerprint(ResNetCodec(IMAGE, variant="wide", half=True))
    assert json.dumps(dict(codec.settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"variant": "deep"}, "paper, wide, got 'deep'"), ({"scaling": "all"}, "got 'all'")],
)
def test_unknown_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        ResNetCodec(IMAGE, **settings)


def test_an_image_without_a_factor_for_every_number_is_refused():
    with pytest.raises(LayoutMismatch, match="a factor for each of 16384 numbers"):
        ResNetCodec(Image(SIDE, SIDE, FACTOR[1:]))


@pytest.mark.parametrize(
    ("variant", "steps"),
    [("paper", 700), ("wide", 120)],  # at the paper's rate of 2e-4: about 1,500 and 300
)
def test_smooth_images_are_learned(tmp_path, variant, steps):
    snapshots = collected(tmp_path, rounds=20, clients=32)
    codec = ResNetCodec(IMAGE, variant=variant).fit(snapshots, steps=steps, learning_rate=1e-3)
    held = codec.scaled(torch.stack(list(snapshots.heldout.vectors)))
    with torch.no_grad():
        error = float((codec.model(held) - held).square().mean())
    mean = codec.scaled(Mean.fit(snapshots.train.vectors).mean[None])
    assert error <= 0.5 * float((mean - held).square().mean())
