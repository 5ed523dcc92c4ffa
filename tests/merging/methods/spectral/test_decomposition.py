"""Singular values and vectors by way of the Gram matrix."""

import pytest
import torch

from dfwe.merging.methods.spectral import decompose, isotropic, orthogonal

SHAPES = [(6, 6), (9, 4), (4, 9), (5, 1)]


def matrix(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", SHAPES)
def test_decompose_full_rank_restores_matrix(shape):
    found = decompose(matrix(*shape), rank=min(shape))
    torch.testing.assert_close((found.left * found.values @ found.right.T).float(), matrix(*shape))
    torch.testing.assert_close(found.values.float(), torch.linalg.svdvals(matrix(*shape)))


def test_decompose_low_rank_is_best_approximation():
    found = decompose(matrix(9, 4), rank=2)
    missing = matrix(9, 4) - (found.left * found.values @ found.right.T).float()
    torch.testing.assert_close(torch.linalg.svdvals(missing)[:2], torch.linalg.svdvals(matrix(9, 4))[2:])


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonal_matches_svd(shape):
    left, _, right = torch.linalg.svd(matrix(*shape), full_matrices=False)
    torch.testing.assert_close(orthogonal(matrix(*shape)).float(), left @ right)


@pytest.mark.parametrize("smallest", [1e-2, 1e-4, 1e-6])
def test_orthogonal_of_small_values_matches_svd(smallest):
    left, _, right = torch.linalg.svd(matrix(8, 5).double(), full_matrices=False)
    values = torch.tensor([1.0, 0.5, 0.2, 0.1, smallest], dtype=torch.float64)
    torch.testing.assert_close(orthogonal(left * values @ right), left @ right, atol=1e-4, rtol=0)


def test_isotropic_has_mean_singular_value():
    mean = torch.linalg.svdvals(matrix(9, 4)).mean()
    torch.testing.assert_close(torch.linalg.svdvals(isotropic(matrix(9, 4))), mean.expand(4))


def test_zero_directions_stay_zero():
    thin = matrix(9, 2) @ matrix(2, 6)
    found = decompose(thin.double(), rank=6)
    assert found.values[:2].min() > 0.1
    assert torch.linalg.matrix_rank(orthogonal(matrix(9, 2).double() @ matrix(2, 6).double())) == 2
    assert not isotropic(torch.zeros(4, 3)).any()
    rows = torch.cat([matrix(3, 4), torch.zeros(5, 4)])
    assert not isotropic(rows)[3:].any()
