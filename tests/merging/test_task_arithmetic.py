"""The parent plus scaled task vectors."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.experts import ExpertArray, Layout
from dfwe.merging.task_arithmetic import TaskArithmetic

PARENT = torch.tensor([1.0, 2.0])
EXPERTS = (torch.tensor([3.0, 2.0]), torch.tensor([1.0, 6.0]))  # task vectors (2, 0) and (0, 4)


def array(parent=PARENT):
    return ExpertArray(("a", "b"), Layout(("w",), (torch.Size([2]),)), torch.stack(EXPERTS), parent)


def test_by_hand():
    out = torch.empty(2)
    TaskArithmetic(scale=0.5).prepare(array())(torch.tensor([1.0, 0.25]), out)
    assert out.tolist() == [2.0, 2.5]


def test_a_tensor_alone_gives_the_same():
    rule, coefficients, out = TaskArithmetic(scale=0.7), (0.4, 0.5), torch.empty(2)
    rule.prepare(array())(torch.tensor(coefficients), out)
    torch.testing.assert_close(rule.tensor(EXPERTS, coefficients=coefficients, parent=PARENT), out)


def test_it_is_convex_with_a_scale_of_one_alone():
    assert TaskArithmetic(scale=1.0).convex
    assert not TaskArithmetic(scale=0.9).convex


def test_a_recipe_gives_lambda_and_weights_as_they_are():
    rule, coefficients = TaskArithmetic.from_recipe([0.5, 1.5], {"lambda": 0.7})
    assert (rule.scale, coefficients) == (0.7, (0.5, 1.5))
    assert TaskArithmetic.from_recipe([0.5, 1.5], {"normalize": True})[1] == (0.25, 0.75)


def test_it_needs_a_parent():
    with pytest.raises(MergeError, match="needs the experts' common parent"):
        TaskArithmetic(scale=1.0).prepare(array(parent=None))
    with pytest.raises(MergeError, match="base_model"):
        TaskArithmetic(scale=1.0).tensor(EXPERTS, coefficients=(0.5, 0.5), parent=None)
