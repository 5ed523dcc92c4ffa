"""Coefficients from the squared norms of task vectors."""

import torch

from dfwe.merging.methods.linear import Metagpt


def experts(array):
    # task vectors (1, 0 | 0) and (0, 0 | 3) over two tensors: squared norms 1 and 9
    first = {"v": torch.tensor([2.0, 1.0]), "w": torch.tensor([1.0])}
    second = {"v": torch.tensor([1.0, 1.0]), "w": torch.tensor([4.0])}
    return array([first, second], parent={"v": torch.ones(2), "w": torch.ones(1)})


def test_metagpt_equal_coefficients_give_closed_form(array, merge):
    found = merge(Metagpt(), experts(array), [0.5, 0.5])
    torch.testing.assert_close(found["v"], torch.tensor([1.1, 1.0]))
    torch.testing.assert_close(found["w"], torch.tensor([1.0 + 0.9 * 3]))


def test_metagpt_coefficients_multiply_weights(array, merge):
    found = merge(Metagpt(), experts(array), [0.25, 0.75])
    torch.testing.assert_close(found["v"], torch.tensor([1.0 + 2 * 0.25 * 0.1, 1.0]))
    torch.testing.assert_close(found["w"], torch.tensor([1.0 + 2 * 0.75 * 0.9 * 3]))


def test_metagpt_permuted_experts_give_same(array, merge):
    rows = [{"w": torch.randn(50, generator=torch.Generator().manual_seed(seed))} for seed in range(3)]
    parent = {"w": torch.zeros(50)}
    found = merge(Metagpt(), array(rows, parent), [0.2, 0.3, 0.5])["w"]
    torch.testing.assert_close(merge(Metagpt(), array(rows[::-1], parent), [0.5, 0.3, 0.2])["w"], found)


def test_metagpt_of_parents_is_the_parent(array, merge):
    parent = {"w": torch.tensor([0.1, 0.7])}
    torch.testing.assert_close(merge(Metagpt(), array([parent] * 3, parent), [1 / 3] * 3)["w"], parent["w"])
