"""The convex mixture."""

import numpy as np
import torch

from dfwe.merging.engine import prepare_merge
from dfwe.merging.methods.linear import Linear


def experts(array, num=3, size=1000):
    return array([{"w": row} for row in torch.randn(num, size, generator=torch.Generator().manual_seed(0))])


def test_linear_by_hand(array, merge):
    two = array([{"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([3.0, -4.0])}])
    assert merge(Linear(), two, [0.25, 0.75])["w"].tolist() == [2.5, -2.5]


def test_linear_vertex_is_its_expert_to_the_bit(array, merge):
    three = experts(array)
    for row, vertex in zip(three.weights, np.eye(3), strict=True):
        assert torch.equal(merge(Linear(), three, vertex)["w"], row)


def test_linear_writes_into_given_buffer(array):
    out = torch.empty(1000)
    address = out.data_ptr()
    prepare_merge(Linear(), experts(array))(np.array([[0.2, 0.3, 0.5]]), {}, out)
    assert out.data_ptr() == address


def test_linear_matches_reference(reference, merge):
    three, expected = reference("abc", merged="linear")
    free, unnormalised = reference("abc", merged="linear_unnormalized")
    for found, wanted in (
        (merge(Linear(), three, [0.5, 0.3, 0.2]), expected),
        (merge(Linear(), free, [0.9, 0.4, -0.2]), unnormalised),
    ):
        for name, tensor in wanted.items():
            torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
