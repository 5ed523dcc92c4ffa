"""Lengths and angles."""

import numpy as np
import pytest
import torch

from dfwe.merging.base import Piece
from dfwe.merging.inner_products import cosines, inner_products
from dfwe.merging.place import Place


def piece(*experts, parent=None):
    return Piece(Place("w", 0.0), [torch.tensor(each) for each in experts], None if parent is None else parent)


def test_inner_products_by_hand_from_the_origin_and_from_the_parent():
    two = piece([[1.0, 2.0]], [[3.0, -1.0]], parent=torch.tensor([[1.0, 1.0]]))
    assert inner_products(two, about_parent=False).tolist() == [[5.0, 1.0], [1.0, 10.0]]
    assert inner_products(two, about_parent=True).tolist() == [[1.0, -2.0], [-2.0, 8.0]]


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_blocks_change_nothing(monkeypatch, block):
    monkeypatch.setattr("dfwe.merging.inner_products.BLOCK", block)
    rows = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = rows.flatten(1).double() @ rows.flatten(1).double().T
    np.testing.assert_allclose(inner_products(piece(*rows.tolist()), about_parent=False), expected)


def test_an_empty_tensor_has_no_length():
    assert inner_products(piece([], []), about_parent=False).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_cosines_are_zero_where_a_vector_has_no_length():
    products = np.array([[4.0, 6.0, 0.0], [6.0, 9.0, 0.0], [0.0, 0.0, 0.0]])
    assert cosines(products).tolist() == [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]


def test_a_floor_makes_the_cosines_of_short_vectors_smaller():
    assert cosines(np.array([[1.0, 0.5], [0.5, 1.0]]), floor=2.0).tolist() == [[0.5, 0.25], [0.25, 0.5]]
