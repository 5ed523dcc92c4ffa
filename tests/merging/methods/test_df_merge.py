"""DF-Merge."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.methods.linear import TaskArithmetic
from dfwe.merging.methods.statistics import DfMerge, Fisher

PLAIN = DfMerge(scale=1.0, floor=0.0, normalise=False)


def two(array):
    experts = [{"w": torch.tensor([1.0, 3.0, 5.0])}, {"w": torch.tensor([5.0, -1.0, 7.0])}]
    statistics = ({"w": torch.tensor([3.0, 0.0, 0.0])}, {"w": torch.tensor([1.0, 0.5, 0.0])})
    return array(experts, parent={"w": torch.ones(3)}, statistics=statistics)


def random(array):
    generator = torch.Generator().manual_seed(0)
    rows, fisher = torch.randn(3, 50, generator=generator), torch.rand(3, 50, generator=generator)
    statistics = tuple({"w": row} for row in fisher)
    return array([{"w": row} for row in rows], parent={"w": torch.zeros(50)}, statistics=statistics)


def test_df_merge_weighs_task_vectors_by_hand(array, merge):
    # task vectors (0, 2, 4) and (4, -2, 6), lambda = 2 * (0.25, 0.75) = (0.5, 1.5), scaled (0, 1, 2) and (6, -3, 9)
    # weights (3, 0, 0) and (1, 0.5, 0): 6 / 4; -3; alike, as nothing is known: 11 / 2
    found = merge(PLAIN, two(array), [0.25, 0.75])["w"]
    torch.testing.assert_close(found, torch.tensor([2.5, -2.0, 6.5]))
    found = merge(PLAIN, two(array), [0.25, 0.75], scale=0.5)["w"]
    torch.testing.assert_close(found, torch.tensor([1.75, -0.5, 3.75]))


@pytest.mark.parametrize("normalise", [False, True])
def test_df_merge_equal_coefficients_give_fisher_merging(array, merge, normalise):
    experts, equal = random(array), [1 / 3, 1 / 3, 1 / 3]
    expected = merge(Fisher(floor=1e-6, normalise=normalise), experts, equal)["w"]
    found = merge(DfMerge(scale=1.0, floor=1e-6, normalise=normalise), experts, equal)["w"]
    torch.testing.assert_close(found, expected)


def test_df_merge_high_floor_is_task_arithmetic(array, merge):
    experts, coefficients = random(array), [0.2, 0.9, 0.5]
    expected = merge(TaskArithmetic(scale=0.7), experts, coefficients)["w"]
    found = merge(DfMerge(scale=0.7, floor=100.0, normalise=True), experts, coefficients)["w"]
    torch.testing.assert_close(found, expected)


def test_df_merge_is_linear_in_coefficients(array, merge):
    experts = random(array)
    both = [merge(PLAIN, experts, each)["w"] for each in ([0.2, 0.3, 0.5], [0.6, 0.4, 0.0])]
    torch.testing.assert_close(merge(PLAIN, experts, [0.4, 0.35, 0.25])["w"], (both[0] + both[1]) / 2)


def test_df_merge_unusable_input_is_an_error(array, merge):
    with pytest.raises(MergeError, match="df_merge needs statistics of every expert"):
        merge(PLAIN, array([{"w": torch.ones(2)}], parent={"w": torch.ones(2)}), [1.0])
    with pytest.raises(MergeError, match="needs the experts' common parent"):
        merge(PLAIN, array([{"w": torch.ones(2)}], statistics=({"w": torch.ones(2)},)), [1.0])
    wrong = array([{"w": torch.ones(2)}], parent={"w": torch.ones(2)}, statistics=({"w": torch.ones(3)},))
    with pytest.raises(MergeError, match=r"statistic of 'w' has shape \[3\]"):
        merge(PLAIN, wrong, [1.0])
