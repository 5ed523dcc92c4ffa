"""Interpolation on the sphere by weights, of models or of task vectors."""

import math

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.methods.spherical import Nuslerp, Slerp

FLAT = Nuslerp(nuslerp_flatten=True, nuslerp_row_wise=False, about_parent=False)
ABOUT = Nuslerp(nuslerp_flatten=True, nuslerp_row_wise=False, about_parent=True)
LAST = Nuslerp(nuslerp_flatten=False, nuslerp_row_wise=False, about_parent=False)
FIRST = Nuslerp(nuslerp_flatten=False, nuslerp_row_wise=True, about_parent=False)
ROOT = math.sqrt(0.5)


def two(array, first, second, parent=None):
    tensors = [{"w": torch.tensor(first)}, {"w": torch.tensor(second)}]
    return array(tensors, parent=None if parent is None else {"w": torch.tensor(parent)})


def test_nuslerp_is_slerp_with_the_second_share(array, merge):
    rows = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).tolist()
    slerp = merge(Slerp(parallel=0.9995), two(array, *rows), [0.75, 0.25])["w"]
    torch.testing.assert_close(merge(FLAT, two(array, *rows), [3.0, 1.0])["w"], slerp)


def test_nuslerp_about_parent_turns_task_vectors(array, merge):
    experts = two(array, [6.0, -5.0], [5.0, -2.0], parent=[5.0, -5.0])
    torch.testing.assert_close(merge(ABOUT, experts, [0.5, 0.5])["w"], torch.tensor([5 + ROOT, -5 + 3 * ROOT]))


def test_nuslerp_without_flattening_turns_each_vector(array, merge):
    experts = two(array, [[1.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [2.0, 2.0]])
    expected = torch.tensor([[ROOT, ROOT], [1.5, 1.5]])  # a right angle, and parallel ones
    torch.testing.assert_close(merge(LAST, experts, [0.5, 0.5])["w"], expected)
    turned = two(array, [[1.0, 1.0], [0.0, 1.0]], [[0.0, 2.0], [1.0, 2.0]])
    torch.testing.assert_close(merge(FIRST, turned, [0.5, 0.5])["w"], expected.T)


def test_nuslerp_origin_defaults_to_an_existing_parent(array, merge):
    free = Nuslerp(nuslerp_flatten=True, nuslerp_row_wise=False, about_parent=None)
    rows = ([1.0, 2.0, 0.5], [0.0, 3.0, 1.0])
    for method, parent in ((FLAT, None), (ABOUT, [1.0, 1.0, 1.0])):
        experts = two(array, *rows, parent=parent)
        assert torch.equal(merge(free, experts, [0.3, 0.7])["w"], merge(method, experts, [0.3, 0.7])["w"])


@pytest.mark.parametrize("vertex", [0, 1])
@pytest.mark.parametrize("method", [FLAT, LAST, FIRST])
def test_nuslerp_vertex_is_its_expert(array, merge, method, vertex):
    experts = two(array, *torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1)).tolist())
    merged = merge(method, experts, [1.0 - vertex, float(vertex)])["w"]
    torch.testing.assert_close(merged.view(-1), experts.weights[vertex])


def test_nuslerp_of_zeros_is_at_a_right_angle(array, merge):
    experts = two(array, [0.0, 0.0], [2.0, 4.0])
    torch.testing.assert_close(merge(LAST, experts, [0.5, 0.5])["w"], ROOT * torch.tensor([2.0, 4.0]))


def test_nuslerp_of_one_value_is_linear(array, merge):
    assert merge(LAST, two(array, 1.0, 3.0), [0.5, 0.5])["w"].item() == 2.0


def test_nuslerp_of_three_experts_is_an_error(array, merge):
    with pytest.raises(MergeError, match="nuslerp merges 2 models, not 3"):
        merge(FLAT, array([{"w": torch.ones(1)}] * 3), [0.3, 0.3, 0.4])
