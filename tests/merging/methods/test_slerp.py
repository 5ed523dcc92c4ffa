"""Interpolation on the sphere."""

import math

import numpy as np
import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.base import TensorGroup, TensorInfo
from dfwe.merging.engine import prepare_merge
from dfwe.merging.expert_array import ExpertArray, Layout
from dfwe.merging.methods.spherical import Slerp

METHOD = Slerp(parallel=0.9995)


def slerp(first, second, share):
    tensors = [torch.tensor(first), torch.tensor(second)]
    return METHOD.merge_tensor(TensorGroup(TensorInfo("w", 0.0), tensors), coefficients=(1 - share, share), state=None)


def test_slerp_half_way_keeps_length():
    root = math.sqrt(0.5)
    torch.testing.assert_close(slerp([1.0, 0.0], [0.0, 1.0], 0.5), torch.tensor([root, root]))


def test_slerp_third_of_the_way_is_third_of_angle():
    expected = torch.tensor([math.cos(math.pi / 6), math.sin(math.pi / 6)])
    torch.testing.assert_close(slerp([1.0, 0.0], [0.0, 1.0], 1 / 3), expected)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_slerp_ends_are_the_experts(share):
    ends = ([3.0, 1.0], [-1.0, 2.0])
    torch.testing.assert_close(slerp(*ends, share), torch.tensor(ends[int(share)]))


@pytest.mark.parametrize(("first", "second"), [([1.0, 1.0], [2.0, 2.0]), ([0.0, 0.0], [2.0, 4.0])])
def test_slerp_of_parallel_or_zero_tensors_is_linear(first, second):
    expected = 0.75 * torch.tensor(first) + 0.25 * torch.tensor(second)
    torch.testing.assert_close(slerp(first, second, 0.25), expected)


def test_slerp_has_one_angle_per_tensor():
    layout = Layout(("v", "w"), (torch.Size([2]), torch.Size([2])))
    experts = torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 3.0, 3.0]])
    out = torch.empty(4)
    prepare_merge(METHOD, ExpertArray(("a", "b"), layout, experts))(np.array([[0.5, 0.5]]), {}, out)
    torch.testing.assert_close(out, torch.tensor([math.sqrt(0.5), math.sqrt(0.5), 2.0, 2.0]))


def test_slerp_of_three_experts_is_an_error():
    layout = Layout(("w",), (torch.Size([1]),))
    with pytest.raises(MergeError, match="2 models, not 3"):
        prepare_merge(METHOD, ExpertArray(("a", "b", "c"), layout, torch.zeros(3, 1)))


def test_slerp_matches_reference(reference, merge):
    experts, expected = reference("ab", merged="slerp_t0.3")
    found = merge(METHOD, experts, [0.7, 0.3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)


def test_slerp_of_equal_tensors_is_linear(array, merge):
    one = {"w": torch.randn(50, generator=torch.Generator().manual_seed(0))}
    torch.testing.assert_close(merge(Slerp(parallel=1.0), array([one, one]), [0.3, 0.7])["w"], one["w"])
