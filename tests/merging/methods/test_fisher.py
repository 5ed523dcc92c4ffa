"""Fisher merging."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.engine import TensorGroups
from dfwe.merging.methods.linear import Linear
from dfwe.merging.methods.statistics import DfMerge, Fisher

PLAIN = Fisher(floor=0.0, normalise=False)


def two(array, first, second):
    experts = [{"w": torch.tensor([1.0, 2.0, 4.0])}, {"w": torch.tensor([3.0, -2.0, 8.0])}]
    return array(experts, statistics=({"w": torch.tensor(first)}, {"w": torch.tensor(second)}))


def random(array, *, num=3):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(num, 50, generator=generator)
    return array([{"w": row} for row in rows], statistics=tuple({"w": row.square()} for row in rows.flip(1)))


def test_fisher_weighs_every_value_by_hand(array, merge):
    # (3 * 1 + 1 * 3) / 4; all of the second's; none of either's: the mixture
    experts = two(array, [3.0, 0.0, 0.0], [1.0, 0.5, 0.0])
    torch.testing.assert_close(merge(PLAIN, experts, [0.5, 0.5])["w"], torch.tensor([1.5, -2.0, 6.0]))
    # (0.25 * 3 * 1 + 0.75 * 1 * 3) / 1.5 = 2; 0.25 * 4 + 0.75 * 8 = 7
    torch.testing.assert_close(merge(PLAIN, experts, [0.25, 0.75])["w"], torch.tensor([2.0, -2.0, 7.0]))


def test_fisher_floor_bounds_weights(array, merge):
    experts = two(array, [3.0, 0.0, 0.0], [1.0, 0.5, 0.0])
    found = merge(PLAIN, experts, [0.5, 0.5], floor=0.5)["w"]
    torch.testing.assert_close(found, torch.tensor([1.5, 0.0, 6.0]))


def test_fisher_normalised_ignores_gradient_scale(array, merge):
    small, large = two(array, [3.0, 1.0, 2.0], [1.0, 0.5, 0.1]), two(array, [300.0, 100.0, 200.0], [1.0, 0.5, 0.1])
    method = Fisher(floor=1e-6, normalise=True)
    torch.testing.assert_close(merge(method, small, [0.3, 0.7])["w"], merge(method, large, [0.3, 0.7])["w"])
    # root mean squares sqrt(14 / 3) and sqrt(1.26 / 3): the first value is (3 / a + 3 / b) / (3 / a + 1 / b)
    a, b = (14 / 3) ** 0.5, (1.26 / 3) ** 0.5
    assert merge(method, small, [0.5, 0.5])["w"][0] == pytest.approx((3 / a + 3 / b) / (3 / a + 1 / b), abs=1e-6)


def test_fisher_equal_or_missing_values_give_mixture(array, merge):
    experts = [
        {"w": torch.tensor([1.0, 2.0]), "v": torch.tensor([5.0])},
        {"w": torch.ones(2), "v": torch.tensor([7.0])},
    ]
    found = merge(PLAIN, array(experts, statistics=({"w": torch.ones(2)}, {"w": torch.ones(2)})), [0.5, 0.5])
    assert found["w"].tolist() == [1.0, 1.5]
    assert found["v"].tolist() == [6.0]


def test_fisher_vertex_is_its_expert_to_the_bit(array, merge):
    experts = random(array)
    for method in (PLAIN, Fisher(floor=1e-6, normalise=True)):
        assert torch.equal(merge(method, experts, [0.0, 1.0, 0.0])["w"], experts.weights[1])


def test_fisher_permuted_experts_give_same(array, merge):
    experts = random(array)
    turned = array([{"w": row} for row in experts.weights.flip(0)], statistics=experts.statistics[::-1])
    method = Fisher(floor=1e-6, normalise=True)
    found = merge(method, turned, [0.5, 0.3, 0.2])["w"]
    torch.testing.assert_close(merge(method, experts, [0.2, 0.3, 0.5])["w"], found)


def test_fisher_unusable_input_is_an_error(array, merge):
    with pytest.raises(MergeError, match="at least 0 and add up to 1, not 1, 1, 1"):
        merge(PLAIN, random(array), [1.0, 1.0, 1.0])
    with pytest.raises(MergeError, match="fisher needs statistics of every expert"):
        merge(PLAIN, array([{"w": torch.ones(2)}]), [1.0])
    with pytest.raises(MergeError, match=r"statistic of 'w' has shape \[2, 2\], expected the tensor's \[2\]"):
        merge(PLAIN, array([{"w": torch.ones(2)}], statistics=({"w": torch.ones(2, 2)},)), [1.0])


def test_fisher_values_without_fisher_are_counted(array, merge):
    names = {"w": torch.tensor([1.0, 2.0, 4.0]), "head": torch.tensor([5.0, 0.0]), "bias": torch.tensor([6.0])}
    other = {"w": torch.tensor([3.0, -2.0, 8.0]), "head": torch.tensor([7.0, 2.0]), "bias": torch.tensor([2.0])}
    first = {"w": torch.tensor([3.0, 0.0, 0.0]), "head": torch.zeros(2)}
    second = {"w": torch.tensor([1.0, 0.5, 0.0]), "head": torch.zeros(2)}
    experts = array([names, other], statistics=(first, second))
    expected = {"values": 4, "of": 6, "tensors": ["head", "bias"]}
    for method in (PLAIN, Fisher(floor=1e-6, normalise=True), DfMerge(scale=1.0, floor=0.0, normalise=False)):
        assert method.notes(TensorGroups(experts)) == {"without_fisher": expected}
    assert Linear().notes(TensorGroups(experts)) == {}
    for method in (PLAIN, Fisher(floor=1e-6, normalise=True)):
        found = merge(method, experts, [0.25, 0.75])
        torch.testing.assert_close(found["head"], torch.tensor([6.5, 1.5]))
        torch.testing.assert_close(found["bias"], torch.tensor([3.0]))
        torch.testing.assert_close(found["w"][2], torch.tensor(7.0))
