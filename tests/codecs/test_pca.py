from __future__ import annotations

import pytest
import torch

from burnish.codecs import (
    Context,
    LayoutMismatch,
    NotFinite,
    Pca,
    fingerprint,
    load_codec,
    save_codec,
)
from burnish.errors import ConfigError, DataError


def test_the_basis_is_orthonormal_and_spans_the_first_singular_directions(drawn):
    vectors = drawn(6 * 500).view(6, 500) * torch.logspace(0, 2, 6)[:, None]
    basis = Pca.fit(vectors, components=3).basis
    assert torch.allclose(basis @ basis.T, torch.eye(3), atol=1e-5)
    best = torch.linalg.svd(vectors, full_matrices=False).Vh[:3]
    assert torch.allclose((basis @ best.T).abs(), torch.eye(3), atol=1e-4)


def test_vectors_of_the_span_come_back(through, drawn):
    vectors = drawn(6 * 500).view(6, 500)
    codec = Pca.fit(vectors)
    mixed = drawn(6, 1) @ vectors
    assert codec.nbytes() == 24
    assert torch.allclose(through(codec, mixed), mixed, atol=1e-4)


def test_vectors_one_by_one_give_the_same_basis(drawn):
    size = 2**18 + 10
    vectors = [drawn(size, seed) for seed in range(3)]
    assert torch.equal(Pca.fit(vectors).basis, Pca.fit(torch.stack(vectors)).basis)


@pytest.mark.parametrize("components", [0, 3])
def test_more_directions_than_there_are_are_refused(drawn, components):
    vectors = [drawn(50), drawn(50, 1), drawn(50) - drawn(50, 1)]
    with pytest.raises(DataError, match="span 2 directions"):
        Pca.fit(vectors, components)


@pytest.mark.parametrize("vectors", [[], [torch.ones(3), torch.ones(4)]], ids=["none", "unlike"])
def test_vectors_of_other_than_one_size_are_refused(vectors):
    with pytest.raises(DataError, match="of one size"):
        Pca.fit(vectors)


def test_nothing_is_learned_from_nan(drawn):
    with pytest.raises(NotFinite, match="drop such updates"):
        Pca.fit([drawn(5), torch.full((5,), float("nan"))])


@pytest.mark.parametrize("tie", ["layout", "init"])
def test_updates_of_another_layout_or_initialisation_are_refused(drawn, tmp_path, tie):
    save_codec(Pca.fit([drawn(5)], layout="l", init="i"), tmp_path / "pca.safetensors")
    codec = load_codec(tmp_path / "pca.safetensors")
    codec.encode(drawn(5), Context(1, 0, "l", "i"))
    with pytest.raises(LayoutMismatch, match=f"whose {tie} is {tie[0]}, got other"):
        codec.encode(drawn(5), Context(1, 0, **{"layout": "l", "init": "i", tie: "other"}))
    assert fingerprint(codec) != fingerprint(Pca.fit([drawn(5)]))


def test_a_basis_that_is_no_matrix_is_refused():
    with pytest.raises(ConfigError, match="components, size"):
        Pca(torch.ones(5))
