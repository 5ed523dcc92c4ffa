"""Scales that grow with depth."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.lines import Lines
from dfwe.merging.task_arithmetic import TaskArithmetic

NAMES = ("shared.weight", "encoder.block.0.w", "encoder.block.1.w", "encoder.block.2.w", "decoder.block.0.w", "head.w")


def tensors(value):
    return {name: torch.full((2,), value) for name in NAMES}


def test_deeper_layers_keep_more_by_hand(array, merge):
    both = array([tensors(3.0), tensors(5.0)], parent=tensors(1.0))  # task vectors of 2 and 4, their mean is 3
    found = merge(Lines(alpha=1.0, beta=0.5), both, [0.5, 0.5])
    scales = (1.0, 1.0, 1.25, 1.5, 1.5, 1.0)  # the only layer of a stack is its last
    for name, scale in zip(NAMES, scales, strict=True):
        torch.testing.assert_close(found[name], torch.full((2,), 1.0 + 3.0 * scale))


@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_without_a_slope_it_is_task_arithmetic(array, merge, alpha):
    both = array([tensors(3.0), tensors(5.0)], parent=tensors(1.0))
    expected = merge(TaskArithmetic(scale=alpha), both, [0.3, 0.7])
    found = merge(Lines(alpha=1.0, beta=0.0), both, [0.3, 0.7], alpha=alpha)
    for name in NAMES:
        assert torch.equal(found[name], expected[name])


def test_a_vertex_is_its_expert_where_nothing_is_scaled(array, merge):
    assert Lines(alpha=1.0, beta=0.0).traits.vertices
    assert not Lines(alpha=1.0, beta=0.5).traits.vertices
    both = array([tensors(3.0), tensors(5.0)], parent=tensors(1.0))
    assert torch.equal(merge(Lines(alpha=1.0, beta=0.0), both, [0.0, 1.0])["head.w"], tensors(5.0)["head.w"])


def test_wrong_recipes_are_told(array, merge):
    with pytest.raises(MergeError, match="lines needs the experts' common parent"):
        merge(Lines(alpha=1.0, beta=0.5), array([tensors(1.0)]), [1.0])
    with pytest.raises(MergeError, match="lines has no parameter 'slope'"):
        Lines.from_recipe([None], {"slope": 0.5})
    assert Lines.from_recipe([None, None], {"beta": 2.0}) == (Lines(alpha=1.0, beta=2.0), (0.5, 0.5))
    assert Lines.merges(["base", "a"], base="base") == ("a",)
