import math

import pytest
import torch
from torch.nn.functional import normalize

from burnish.contrast import bank_contrast
from burnish.errors import UsageError

B, D, TAU = 6, 8, 0.1


def drawn(stored, extra, *, seed=0):
    """A batch whose ids partly stand in the sample again, as a uniform sample of all may have."""
    generator = torch.Generator().manual_seed(seed)
    bank = normalize(torch.randn(20, stored, D, generator=generator).double(), dim=2)
    labels = torch.randint(0, 3, (20,), generator=generator)
    ids = torch.randperm(20, generator=generator)[:B]
    other_ids = torch.randperm(20, generator=generator)[:extra]
    anchors = torch.randn(B, D, generator=generator).double()
    return {
        "anchors": anchors,
        "ids": ids,
        "own": bank[ids],
        "others": bank[other_ids],
        "other_ids": other_ids,
        "labels": labels[ids],
        "other_labels": labels[other_ids],
    }


def by_hand(data, positives):
    """-log p of every anchor's positives by a plain loop over all pairs."""
    anchors = normalize(data["anchors"], dim=1)
    keys = [(anchors[i], int(data["ids"][i]), int(data["labels"][i]), i) for i in range(B)]
    for vectors, ids, labels in (
        (data["own"], data["ids"], data["labels"]),
        (data["others"], data["other_ids"], data["other_labels"]),
    ):
        for row in range(len(ids)):
            named = (int(ids[row]), int(labels[row]), None)
            keys.extend((vector, *named) for vector in vectors[row])
    each, pairs = [], 0
    for i in range(B):
        own_id, own_label = int(data["ids"][i]), int(data["labels"][i])
        scores = [
            (math.exp(float(anchors[i] @ vector) / TAU), key_id, key_label)
            for vector, key_id, key_label, itself in keys
            if itself != i
        ]
        total = sum(score for score, _, _ in scores)
        chosen = [
            -math.log(score / total)
            for score, key_id, key_label in scores
            if (key_id == own_id if positives == "id" else key_label == own_label)
        ]
        pairs += len(chosen)
        each.append(sum(chosen) / len(chosen))
    return sum(each) / B, sum(each) / pairs, pairs / B


@pytest.mark.parametrize("stored", [1, 3])
@pytest.mark.parametrize("extra", [0, 9])
def test_matches_a_loop_over_all_pairs(stored, extra):
    data = drawn(stored, extra)
    for reduction, which in (("mean", 0), ("reference", 1)):
        terms = bank_contrast(**data, temperature=TAU, reduction=reduction)
        assert terms.unsupervised.item() == pytest.approx(by_hand(data, "id")[which], abs=1e-6)
        assert terms.supervised.item() == pytest.approx(by_hand(data, "label")[which], abs=1e-6)


@pytest.mark.parametrize("stored", [1, 3])
def test_the_released_normalisation_is_smaller_by_the_positives_an_anchor_has(stored):
    data = drawn(stored, 12)
    mean = bank_contrast(**data, temperature=TAU, reduction="mean")
    reference = bank_contrast(**data, temperature=TAU, reduction="reference")
    ratio = (mean.supervised / reference.supervised).item()
    assert ratio == pytest.approx(by_hand(data, "label")[2], rel=0.01)
    assert (mean.unsupervised / reference.unsupervised).item() == pytest.approx(
        by_hand(data, "id")[2], rel=0.01
    )


def test_no_gradient_reaches_a_key():
    data = drawn(3, 9)
    for name in ("anchors", "own", "others"):
        data[name].requires_grad_()
    terms = bank_contrast(**data, temperature=TAU)
    (terms.unsupervised + terms.supervised).backward()
    assert data["own"].grad is None
    assert data["others"].grad is None
    # An anchor's gradient is that of its own row: its detached copies in other rows give none.
    first = data["anchors"].grad[0].clone()
    data["anchors"].grad = None
    changed = dict(data, own=data["own"].detach(), others=data["others"].detach())
    changed["anchors"] = torch.cat([data["anchors"][:1], data["anchors"][1:].detach()])
    again = bank_contrast(**changed, temperature=TAU)
    (again.unsupervised + again.supervised).backward()
    assert torch.allclose(data["anchors"].grad[0], first)


def test_leaves_the_supervised_term_out_without_labels():
    data = drawn(1, 4)
    del data["labels"], data["other_labels"]
    assert bank_contrast(**data, temperature=TAU).supervised is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0.0}, "must be > 0, got 0.0"),
        ({"own": torch.zeros(B, 2, D)}, r"must share B, R and D, .* \(6, 2, 8\)"),
        ({"ids": torch.arange(3)}, r"6 anchors with ids \(3,\)"),
        ({"other_labels": None}, "give both or neither"),
    ],
)
def test_says_what_does_not_fit(change, message):
    with pytest.raises(UsageError, match=message):
        bank_contrast(**({"temperature": TAU} | drawn(1, 4) | change))
