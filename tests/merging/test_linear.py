"""The convex mixture."""

import torch

from dfwe.merging.experts import ExpertArray, Layout
from dfwe.merging.linear import Linear


def experts(num=3, size=1000):
    weights = torch.randn(num, size, generator=torch.Generator().manual_seed(0))
    layout = Layout(("w",), (torch.Size([size]),))
    return ExpertArray(tuple("abc"[:num]), layout, weights)


def test_a_mixture_by_hand():
    array = ExpertArray(("a", "b"), Layout(("w",), (torch.Size([2]),)), torch.tensor([[1.0, 2.0], [3.0, -4.0]]))
    out = torch.empty(2)
    Linear().prepare(array)(torch.tensor([0.25, 0.75]), out)
    assert out.tolist() == [2.5, -2.5]


def test_a_vertex_is_its_expert_bit_for_bit():
    array, out = experts(), torch.empty(1000)
    for row, vertex in zip(array.weights, torch.eye(3), strict=True):
        Linear().prepare(array)(vertex, out)
        assert torch.equal(out, row)


def test_it_writes_into_the_buffer_it_is_given():
    out = torch.empty(1000)
    address = out.data_ptr()
    Linear().prepare(experts())(torch.tensor([0.2, 0.3, 0.5]), out)
    assert out.data_ptr() == address
