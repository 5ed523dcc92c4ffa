"""Scales that grow with depth."""

import pytest
import torch

from dfwe.merging.methods.linear import Lines, TaskArithmetic

NAMES = ("shared.weight", "encoder.block.0.w", "encoder.block.1.w", "encoder.block.2.w", "decoder.block.0.w", "head.w")


def tensors(value):
    return {name: torch.full((2,), value) for name in NAMES}


def test_lines_deeper_layers_keep_more_by_hand(array, merge):
    both = array([tensors(3.0), tensors(5.0)], parent=tensors(1.0))  # task vectors of 2 and 4, their mean is 3
    found = merge(Lines(alpha=1.0, beta=0.5), both, [0.5, 0.5])
    scales = (1.0, 1.0, 1.25, 1.5, 1.5, 1.0)  # the only layer of a stack is its last
    for name, scale in zip(NAMES, scales, strict=True):
        torch.testing.assert_close(found[name], torch.full((2,), 1.0 + 3.0 * scale))


@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_lines_without_beta_is_task_arithmetic(array, merge, alpha):
    both = array([tensors(3.0), tensors(5.0)], parent=tensors(1.0))
    expected = merge(TaskArithmetic(scale=alpha), both, [0.3, 0.7])
    found = merge(Lines(alpha=1.0, beta=0.0), both, [0.3, 0.7], alpha=alpha)
    for name in NAMES:
        assert torch.equal(found[name], expected[name])


def test_lines_unscaled_vertex_is_its_expert(array, merge):
    assert Lines(alpha=1.0, beta=0.0).properties.recovers_experts
    assert not Lines(alpha=1.0, beta=0.5).properties.recovers_experts
    both = array([tensors(3.0), tensors(5.0)], parent=tensors(1.0))
    assert torch.equal(merge(Lines(alpha=1.0, beta=0.0), both, [0.0, 1.0])["head.w"], tensors(5.0)["head.w"])
