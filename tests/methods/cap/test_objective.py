"""The whole objective against plain loops over banks on disk."""

from itertools import combinations

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.functional import normalize

from burnish.errors import ConfigError
from burnish.methods.cap.banks import Banks
from burnish.methods.cap.objective import CE_ONLY, KD_ONLY, BoundObjective, CapObjective

N, D, CLASSES = 26, 6, 3
ROWS = np.array([4, 17, 9, 0, 25])
KINDS = ("pre", "snap", "fine")
EVERY_USE = [use for size in range(4) for use in combinations(KINDS, size)]


class Watched(Banks):
    """Banks that remember which rows were asked for."""

    def gather(self, kind, rows):
        self.asked.setdefault(kind, []).append(rows)
        return super().gather(kind, rows)


def drawn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def banks_with(folder, *names, width=D):
    banks = Watched(folder, size=N, width=width, accelerator=Accelerator())
    banks.asked = {}
    for seed, name in enumerate(names):
        bank = banks.begin(name)
        bank.put(np.arange(N), drawn(N, width, seed=seed))
        bank.close()
    return banks


def stored(banks, name):
    flat = np.fromfile(banks.folder / f"{name}.f16", np.float16).reshape(N, -1)
    return torch.from_numpy(flat.astype(np.float32))


def ce_by_hand(logits, labels):
    rows = zip(logits, labels, strict=True)
    return -sum(row.softmax(0)[label].log() for row, label in rows) / len(labels)


def kl_by_hand(logits, teacher, temperature):
    total = 0.0
    for row, wanted in zip(logits, teacher, strict=True):
        p, q = (each.div(temperature).softmax(0) for each in (wanted, row))
        total = total + sum(p[c] * (p[c].log() - q[c].log()) for c in range(len(row)))
    return temperature**2 * total / len(logits)


def terms_by_hand(banks, kind, vectors, classes, tau):
    """L_u and L_s of one kind of bank, over the examples that were really drawn."""
    own, others = banks.asked[kind]
    assert list(own) == list(ROWS)
    anchors = normalize(vectors, dim=1)
    keys = [(int(row), anchors[at].detach()) for at, row in enumerate(ROWS)]
    for name in banks.names(kind):
        keys += [(int(row), stored(banks, name)[row]) for row in (*own, *others)]
    terms = {"u": 0.0, "s": 0.0}
    for at, row in enumerate(ROWS):
        there = [(k, anchors[at] @ key / tau) for j, (k, key) in enumerate(keys) if j != at]
        below = torch.stack([score for _, score in there]).exp().sum().log()
        own_keys = [below - score for k, score in there if k == row]
        same = [below - score for k, score in there if classes[k] == classes[row]]
        terms["u"] = terms["u"] + sum(own_keys) / len(own_keys) / len(ROWS)
        terms["s"] = terms["s"] + sum(same) / len(same) / len(ROWS)
    return terms["u"], terms["s"]


@pytest.mark.parametrize("use", EVERY_USE, ids="-".join)
def test_the_total_is_what_the_formula_says(tiny, tmp_path, use):
    banks = banks_with(tmp_path, "pre", "fine", "snap-01", "snap-02")
    examples = tiny.encoded(N)
    objective = CapObjective(
        use=use, alpha=0.3, beta=0.8, kd_temperature=2.0, tau=0.2, lambda_u=0.7, lambda_s=0.4,
        extra=9,
    )  # fmt: skip
    teacher = drawn(N, CLASSES, seed=10).numpy()
    bound = BoundObjective(objective, examples, banks, teacher, seed=0)
    logits = drawn(1, 5, CLASSES, seed=11).requires_grad_()
    vectors = drawn(5, D, seed=12).requires_grad_()
    labels = torch.from_numpy(examples.labels[ROWS])
    found = bound.losses(ROWS, logits, vectors, labels[None], step="a")

    ce = ce_by_hand(logits[0], labels)
    kl = kl_by_hand(logits[0], torch.from_numpy(teacher[ROWS]), 2.0)
    wanted = 0.3 * ce + 0.8 * kl
    for kind in use:
        unsupervised, supervised = terms_by_hand(banks, kind, vectors, examples.labels, 0.2)
        wanted = wanted + 0.7 * unsupervised + 0.4 * supervised
    assert sorted(banks.asked) == sorted(use)
    assert found.labels.item() == pytest.approx(ce.item(), abs=1e-5)
    assert found.distilled.item() == pytest.approx(kl.item(), abs=1e-5)
    assert found.total.item() == pytest.approx(wanted.item(), abs=1e-4)
    assert (found.contrast is None) == (not use)
    wrt = [logits, vectors] if use else [logits]  # keys are constants on both sides
    ours, plain = (torch.autograd.grad(each, wrt) for each in (found.total, wanted))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, plain, strict=True))


def test_question_answering_averages_start_and_end_and_knows_no_classes(tiny, tmp_path):
    banks = banks_with(tmp_path, "pre")
    examples = tiny.encoded(N, task="qa")
    objective = CapObjective(use=("pre",), lambda_u=0.5, lambda_s=3.0, extra=6, tau=0.3)
    longest, here = int(examples.lengths.max()), int(examples.lengths[ROWS].max())
    teacher = drawn(N, 2, longest, seed=20)
    logits, vectors = drawn(2, 5, here, seed=21), drawn(5, D, seed=22)
    labels = torch.from_numpy(examples.positions[ROWS].T)
    bound = BoundObjective(objective, examples, banks, teacher.flatten(1).numpy(), seed=0)
    found = bound.losses(ROWS, logits, vectors, labels, step="a")
    ce = sum(ce_by_hand(logits[head], labels[head]) for head in (0, 1)) / 2
    pair = [kl_by_hand(logits[head], teacher[ROWS, head, :here], 1.0) for head in (0, 1)]
    unsupervised, _ = terms_by_hand(banks, "pre", vectors, np.zeros(N), 0.3)
    wanted = 0.1 * ce + 0.9 * sum(pair) / 2 + 0.5 * unsupervised
    assert found.total.item() == pytest.approx(wanted.item(), abs=1e-4)


def test_past_stages_count_only_once_there_is_one(tiny, tmp_path):
    banks = banks_with(tmp_path, "pre")
    bound = BoundObjective(CapObjective(extra=6), tiny.encoded(N), banks, None, seed=0)
    given = drawn(1, 5, CLASSES, seed=0), drawn(5, D, seed=1), torch.zeros(1, 5, dtype=torch.long)
    first = bound.losses(ROWS, *given, step="a").contrast
    assert set(banks.asked) == {"pre"}
    banks_with(tmp_path, "snap-01")
    assert bound.losses(ROWS, *given, step="a").contrast > first
    assert set(banks.asked) == {"pre", "snap"}


def test_without_vectors_there_is_no_contrast(tiny, tmp_path):
    bound = BoundObjective(
        CapObjective(extra=6), tiny.encoded(N), banks_with(tmp_path, "pre"), None, seed=0
    )
    labels = torch.zeros(1, 5, dtype=torch.long)
    found = bound.losses(ROWS, drawn(1, 5, CLASSES, seed=0), None, labels, step="a")
    assert found.contrast is None
    assert found.distilled is None
    assert torch.equal(found.total, 0.1 * found.labels)


def test_keys_are_drawn_anew_each_step_and_alike_for_a_seed(tiny, tmp_path):
    banks = banks_with(tmp_path, "pre", "fine", "snap-01", "snap-02", "snap-03")
    labels = torch.zeros(1, 5, dtype=torch.long)
    given = drawn(1, 5, CLASSES, seed=0), drawn(5, D, seed=1), labels
    for seed, step in ((0, "a"), (0, "a"), (0, "b"), (1, "a")):
        bound = BoundObjective(CapObjective(extra=8), tiny.encoded(N), banks, None, seed=seed)
        bound.losses(ROWS, *given, step=step)
    first, again, later, other = (sorted(each) for each in banks.asked["pre"][1::2])
    assert first == again
    assert len({tuple(first), tuple(later), tuple(other)}) == 3
    assert len(first) == len(set(first)) == 8
    assert {len(each) for each in banks.asked["snap"][1::2]} == {8 // 3}


def test_no_more_keys_are_drawn_than_half_the_examples(tiny, tmp_path):
    banks = banks_with(tmp_path, "pre")
    bound = BoundObjective(CapObjective(extra=4096), tiny.encoded(N), banks, None, seed=0)
    given = drawn(1, 5, CLASSES, seed=0), drawn(5, D, seed=1), torch.zeros(1, 5, dtype=torch.long)
    assert torch.isfinite(bound.losses(ROWS, *given, step="a").total)
    assert len(banks.asked["pre"][1]) == N // 2


def test_a_projection_maps_to_the_teachers_size_for_the_teachers_view_alone(tiny, tmp_path):
    banks = banks_with(tmp_path, "pre")
    wide = Banks(tmp_path, size=N, width=2 * D, accelerator=Accelerator())
    bank = wide.begin("fine")
    bank.put(np.arange(N), drawn(N, 2 * D, seed=3))
    bank.close()
    projection = nn.Linear(D, 2 * D, bias=False)
    vectors, labels = drawn(5, D, seed=1), torch.zeros(1, 5, dtype=torch.long)
    found = {}
    for use in ("pre", "fine"):
        objective = CapObjective(extra=6, use=(use,))
        bound = BoundObjective(
            objective, tiny.encoded(N), banks, None, seed=0, projection=projection
        )
        total = bound.losses(ROWS, drawn(1, 5, CLASSES, seed=0), vectors, labels, step="a").total
        found[use] = total.requires_grad  # of all that went in, only the projection's weight has
    assert found == {"pre": False, "fine": True}


def test_the_weight_of_the_contrast_depends_on_how_many_examples_there_are():
    assert CapObjective().unsupervised_weight(9_999) == 0.03
    assert CapObjective().unsupervised_weight(10_000) == 0.3
    assert CapObjective(lambda_u=0.1).unsupervised_weight(5) == 0.1


def test_a_teacher_is_needed_for_distillation_or_its_view():
    assert CapObjective().teaches
    assert KD_ONLY.teaches
    assert CapObjective(beta=0.0).teaches
    assert not CapObjective(beta=0.0, use=("pre", "snap")).teaches
    assert not CE_ONLY.teaches


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau": 0.0}, "tau divides cosines and must be > 0, got 0.0"),
        ({"tau": -1.0}, "tau divides cosines and must be > 0, got -1.0"),
        ({"tau": float("nan")}, "tau divides cosines and must be > 0, got nan"),
        ({"kd_temperature": 0.0}, "kd_temperature must be > 0, got 0.0"),
        ({"alpha": -0.1}, "alpha is the weight of a loss and must be >= 0, got -0.1"),
        ({"lambda_u": float("inf")}, "lambda_u is the weight of a loss .* got inf"),
        ({"use": ("pre", "past")}, "use takes pre, snap and fine, got past"),
        ({"extra": -1}, "extra is a number of keys and must be >= 0, got -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        CapObjective(**settings)
