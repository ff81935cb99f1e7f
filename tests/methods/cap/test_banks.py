"""One vector an example, at the example's own row, in half precision on disk."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch.nn.functional import normalize

from burnish.errors import BurnishError, UsageError
from burnish.methods.cap.banks import Bank, Banks

VECTORS = 3 * torch.randn(10, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def banks(tmp_path):
    return Banks(tmp_path / "banks", size=10, width=6, accelerator=Accelerator())


def fill(banks, name, vectors=VECTORS, order=np.arange(10)):  # noqa: B008
    bank = banks.begin(name)
    for rows in np.array_split(order, 3):
        bank.put(rows, vectors[rows])
    bank.close()


def test_rows_are_examples_whatever_the_order_of_the_batches(banks):
    fill(banks, "pre")
    fill(banks, "fine", order=np.random.default_rng(0).permutation(10))
    path = banks.folder / "pre.f16"
    assert path.read_bytes() == (banks.folder / "fine.f16").read_bytes()
    assert path.stat().st_size == 10 * 6 * 2
    asked = np.array([7, 2, 7])
    found = banks.gather("pre", asked)
    assert found.shape == (3, 1, 6)
    assert found.dtype == torch.float32
    assert torch.equal(found[:, 0], normalize(VECTORS, dim=1)[asked].half().float())
    assert torch.allclose(found.norm(dim=2), torch.ones(3, 1), atol=2e-3)


def test_files_are_mapped_and_cannot_be_written_through(banks):
    fill(banks, "pre")
    before = (banks.folder / "pre.f16").read_bytes()
    banks.gather("pre", np.arange(10)).zero_()
    assert (banks.folder / "pre.f16").read_bytes() == before
    assert torch.any(banks.gather("pre", np.arange(10)) != 0)


def test_past_stages_come_oldest_first_and_side_by_side(banks):
    assert banks.names("snap") == []
    fill(banks, "snap-02", -VECTORS)
    fill(banks, "snap-01", VECTORS)
    assert banks.names("snap") == ["snap-01", "snap-02"]
    found = banks.gather("snap", np.array([4]))
    assert found.shape == (1, 2, 6)
    assert torch.equal(found[0, 0], -found[0, 1])
    assert torch.equal(found[0, 0], normalize(VECTORS, dim=1)[4].half().float())


def test_a_bank_is_not_there_before_it_is_whole(banks):
    bank = banks.begin("pre")
    bank.put(np.arange(9), VECTORS[:9])
    assert banks.names("pre") == []
    with pytest.raises(BurnishError, match=r"pre\.f16 has no vector for example 9"):
        bank.close()
    assert banks.names("pre") == []


def test_a_vector_that_is_not_finite_is_refused_with_its_example(banks):
    broken = VECTORS[:3].clone()
    broken[1, 2] = float("nan")
    with pytest.raises(BurnishError, match=r"example 8 for pre\.f16 is not finite; .* lower"):
        banks.begin("pre").put(np.array([5, 8, 1]), broken)


def test_a_bank_that_is_made_again_is_read_again(banks):
    fill(banks, "pre")
    before = banks.gather("pre", np.arange(10))
    digest = banks.digest()
    fill(banks, "pre", -VECTORS)
    assert torch.equal(banks.gather("pre", np.arange(10)), -before)
    assert banks.digest() != digest


def test_banks_that_changed_or_are_gone_are_refused_and_later_ones_dropped(banks):
    fill(banks, "pre")
    fill(banks, "fine")
    recorded = banks.digest()
    assert sorted(recorded) == ["fine.f16", "pre.f16"]
    fill(banks, "snap-01")

    def opened():
        return Banks(banks.folder, size=10, width=6, accelerator=Accelerator())

    again = opened()
    again.verify(recorded)
    assert again.names("snap") == []
    assert again.digest() == recorded
    path = banks.folder / "pre.f16"
    path.write_bytes(bytes(120))
    with pytest.raises(UsageError, match=r"pre\.f16 has changed since .* in a new folder"):
        opened().verify(recorded)
    path.unlink()
    with pytest.raises(UsageError, match=r"pre\.f16 is gone since .* in a new folder"):
        opened().verify(recorded)


def test_logits_are_kept_as_they_are(tmp_path):
    path = tmp_path / "teacher.f32"
    logits = Bank(path, 10, 6, Accelerator(), dtype=np.float32, unit=False)
    logits.put(np.arange(10), VECTORS)
    logits.close()
    found = np.fromfile(path, np.float32).reshape(10, 6)
    assert np.array_equal(found, VECTORS.numpy())


def test_a_bank_holds_what_the_model_gives_without_dropout(tiny, tmp_path):
    work = tiny.pruner(tmp_path, model=tiny.classifier(0)).work
    work.module.train()
    work.snapshot("pre")
    plain = tiny.classifier(0)
    inputs = work.examples.batch(np.arange(26))
    inputs.pop("labels")
    with torch.no_grad():
        wanted = normalize(plain.bert(**inputs).pooler_output, dim=1)
    found = work.banks.gather("pre", np.arange(26))[:, 0]
    assert (found - wanted).abs().max() < 6e-4  # half of the last bit of half precision, and sums


def test_the_importance_pass_fills_the_same_bank_as_a_pass_of_its_own(tiny, tmp_path):
    """Rows come in other batches, so sums differ in the last bits of single precision."""
    one = tiny.pruner(tmp_path / "one")
    one.prune()
    other = tiny.pruner(tmp_path / "other").work
    other.snapshot("pre")
    found, wanted = (each.banks.gather("pre", np.arange(26)) for each in (one.work, other))
    assert (found - wanted).abs().max() < 1e-3
