"""Lengths and angles."""

import numpy as np
import pytest
import torch

from dfwe.merging.base import TensorGroup, TensorInfo
from dfwe.merging.methods.spherical import cosines, inner_products


def piece(*experts, parent=None):
    return TensorGroup(
        TensorInfo("w", 0.0), [torch.tensor(each) for each in experts], None if parent is None else parent
    )


def test_inner_products_by_hand():
    two = piece([[1.0, 2.0]], [[3.0, -1.0]], parent=torch.tensor([[1.0, 1.0]]))
    assert inner_products(two, from_parent=False).tolist() == [[5.0, 1.0], [1.0, 10.0]]
    assert inner_products(two, from_parent=True).tolist() == [[1.0, -2.0], [-2.0, 8.0]]


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_inner_products_in_blocks_are_same(monkeypatch, block):
    monkeypatch.setattr("dfwe.merging.methods.spherical.BLOCK", block)
    rows = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = rows.flatten(1).double() @ rows.flatten(1).double().T
    np.testing.assert_allclose(inner_products(piece(*rows.tolist()), from_parent=False), expected)


def test_inner_products_of_empty_tensors_are_zero():
    assert inner_products(piece([], []), from_parent=False).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_cosines_of_zero_vectors_are_zero():
    products = np.array([[4.0, 6.0, 0.0], [6.0, 9.0, 0.0], [0.0, 0.0, 0.0]])
    assert cosines(products).tolist() == [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]


def test_cosines_with_floor_are_smaller():
    assert cosines(np.array([[1.0, 0.5], [0.5, 1.0]]), floor=2.0).tolist() == [[0.5, 0.25], [0.25, 0.5]]
