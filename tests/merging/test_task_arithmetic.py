"""The parent plus scaled task vectors."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.task_arithmetic import TaskArithmetic

PARENT = {"w": torch.tensor([1.0, 2.0])}
EXPERTS = [{"w": torch.tensor([3.0, 2.0])}, {"w": torch.tensor([1.0, 6.0])}]  # task vectors (2, 0) and (0, 4)


def test_by_hand(array, merge):
    both = array(EXPERTS, parent=PARENT)
    assert merge(TaskArithmetic(scale=0.5), both, [1.0, 0.25])["w"].tolist() == [2.0, 2.5]
    assert merge(TaskArithmetic(scale=1.0), both, [1.0, 0.25], scale=0.5)["w"].tolist() == [2.0, 2.5]


def test_a_vertex_is_its_expert_with_a_scale_of_one_alone():
    assert TaskArithmetic(scale=1.0).traits.vertices
    assert not TaskArithmetic(scale=0.9).traits.vertices


def test_a_recipe_gives_lambda_and_weights_as_they_are():
    rule, coefficients = TaskArithmetic.from_recipe([0.5, 1.5], {"lambda": 0.7})
    assert (rule.scale, coefficients) == (0.7, (0.5, 1.5))
    assert TaskArithmetic.from_recipe([0.5, 1.5], {"normalize": True})[1] == (0.25, 0.75)


def test_it_needs_a_parent(array, merge):
    with pytest.raises(MergeError, match="needs the experts' common parent"):
        merge(TaskArithmetic(scale=1.0), array(EXPERTS), [0.5, 0.5])
    with pytest.raises(MergeError, match="base_model"):
        TaskArithmetic.merges(["a", "b"], base=None)


def test_the_reference_merge_is_met(reference, merge):
    experts, expected = reference("abc", merged="task_arithmetic_lambda0.7")
    found = merge(TaskArithmetic(scale=0.7), experts, [0.5, 0.3, 0.2])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
