"""Interpolation on the sphere."""

import math

import numpy as np
import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.base import Piece
from dfwe.merging.driver import prepare
from dfwe.merging.experts import ExpertArray, Layout
from dfwe.merging.place import Place
from dfwe.merging.slerp import Slerp

RULE = Slerp(parallel=0.9995)


def slerp(first, second, share):
    tensors = [torch.tensor(first), torch.tensor(second)]
    return RULE.tensor(Piece(Place("w", 0.0), tensors), coefficients=(1 - share, share), found=None)


def test_half_way_between_right_angles_keeps_the_length():
    root = math.sqrt(0.5)
    torch.testing.assert_close(slerp([1.0, 0.0], [0.0, 1.0], 0.5), torch.tensor([root, root]))


def test_a_third_of_the_way_is_a_third_of_the_angle():
    expected = torch.tensor([math.cos(math.pi / 6), math.sin(math.pi / 6)])
    torch.testing.assert_close(slerp([1.0, 0.0], [0.0, 1.0], 1 / 3), expected)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_ends_are_the_experts(share):
    ends = ([3.0, 1.0], [-1.0, 2.0])
    torch.testing.assert_close(slerp(*ends, share), torch.tensor(ends[int(share)]))


@pytest.mark.parametrize(("first", "second"), [([1.0, 1.0], [2.0, 2.0]), ([0.0, 0.0], [2.0, 4.0])])
def test_parallel_and_zero_tensors_are_mixed_linearly(first, second):
    expected = 0.75 * torch.tensor(first) + 0.25 * torch.tensor(second)
    torch.testing.assert_close(slerp(first, second, 0.25), expected)


def test_each_tensor_of_an_array_has_its_own_angle():
    layout = Layout(("v", "w"), (torch.Size([2]), torch.Size([2])))
    experts = torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 3.0, 3.0]])
    out = torch.empty(4)
    prepare(RULE, ExpertArray(("a", "b"), layout, experts))(np.array([[0.5, 0.5]]), {}, out)
    torch.testing.assert_close(out, torch.tensor([math.sqrt(0.5), math.sqrt(0.5), 2.0, 2.0]))


def test_a_recipe_gives_the_way_to_the_second_model():
    rule, coefficients = Slerp.from_recipe([None, None], {"t": 0.25})
    assert (rule, coefficients) == (RULE, (0.75, 0.25))
    with pytest.raises(MergeError, match="needs the parameter `t`"):
        Slerp.from_recipe([None, None], {})


def test_it_takes_two():
    layout = Layout(("w",), (torch.Size([1]),))
    with pytest.raises(MergeError, match="two models, not 3"):
        prepare(RULE, ExpertArray(("a", "b", "c"), layout, torch.zeros(3, 1)))


def test_the_reference_merge_is_met(reference, merge):
    experts, expected = reference("ab", merged="slerp_t0.3")
    found = merge(RULE, experts, [0.7, 0.3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
