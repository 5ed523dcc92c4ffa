"""The parent plus scaled task vectors."""

import torch

from dfwe.merging.methods.linear import TaskArithmetic

PARENT = {"w": torch.tensor([1.0, 2.0])}
EXPERTS = [{"w": torch.tensor([3.0, 2.0])}, {"w": torch.tensor([1.0, 6.0])}]  # task vectors (2, 0) and (0, 4)


def test_task_arithmetic_by_hand(array, merge):
    both = array(EXPERTS, parent=PARENT)
    assert merge(TaskArithmetic(scale=0.5), both, [1.0, 0.25])["w"].tolist() == [2.0, 2.5]
    assert merge(TaskArithmetic(scale=1.0), both, [1.0, 0.25], scale=0.5)["w"].tolist() == [2.0, 2.5]


def test_task_arithmetic_recovers_experts_with_scale_one():
    assert TaskArithmetic(scale=1.0).properties.recovers_experts
    assert not TaskArithmetic(scale=0.9).properties.recovers_experts


def test_task_arithmetic_matches_reference(reference, merge):
    experts, expected = reference("abc", merged="task_arithmetic_lambda0.7")
    found = merge(TaskArithmetic(scale=0.7), experts, [0.5, 0.3, 0.2])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
