"""RegMean."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.methods.statistics import Regmean

PLAIN = Regmean(alpha=1.0, ridge=1e-9)


def random(array, *, num=3, tokens=40):
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(num, 4, 6, generator=generator)
    inputs = torch.randn(num, tokens, 6, generator=generator)
    experts = [{"w": weight, "b": weight[:, 0]} for weight in weights]
    return array(experts, statistics=tuple({"w": x.T @ x / tokens} for x in inputs)), weights, inputs


def test_regmean_two_experts_by_hand(array, merge):
    # G1 = [[2, 1], [1, 1]], G2 = [[1, 0], [0, 2]], W1 = [1, 0], W2 = [0, 1], each one row:
    # W = (W1 G1 + W2 G2) (G1 + G2)^-1 = [2, 3] [[3, 1], [1, 3]]^-1 = [3, 7] / 8
    statistics = ({"w": torch.tensor([[2.0, 1.0], [1.0, 1.0]])}, {"w": torch.tensor([[1.0, 0.0], [0.0, 2.0]])})
    experts = array([{"w": torch.tensor([[1.0, 0.0]])}, {"w": torch.tensor([[0.0, 1.0]])}], statistics=statistics)
    torch.testing.assert_close(merge(PLAIN, experts, [0.5, 0.5])["w"], torch.tensor([[0.375, 0.875]]))
    # alpha 0 leaves the diagonals: (1 * 2, 1 * 2) / (3, 3)
    found = merge(PLAIN, experts, [0.5, 0.5], alpha=0.0)["w"]
    torch.testing.assert_close(found, torch.tensor([[2 / 3, 2 / 3]]))


def test_regmean_is_least_squares_fit(array, merge):
    experts, weights, inputs = random(array)
    coefficients = torch.tensor([0.5, 0.2, 0.3])
    found = merge(PLAIN, experts, coefficients.tolist())
    rows = torch.cat([x * c.sqrt() for x, c in zip(inputs, coefficients, strict=True)])
    answers = torch.cat([x @ w.T * c.sqrt() for x, w, c in zip(inputs, weights, coefficients, strict=True)])
    expected = torch.linalg.lstsq(rows.double(), answers.double()).solution.T.float()
    torch.testing.assert_close(found["w"], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found["b"], (coefficients[:, None] * weights[:, :, 0]).sum(0))


def test_regmean_vertex_is_its_expert_to_the_bit(array, merge):
    experts, weights, _ = random(array)
    for alpha in (0.1, 1.0):
        assert torch.equal(merge(Regmean(alpha=alpha, ridge=1e-7), experts, [0.0, 1.0, 0.0])["w"], weights[1])


def test_regmean_equal_grams_give_mixture(array, merge):
    experts, weights, _ = random(array)
    same = array([{"w": weight} for weight in weights], statistics=[{"w": experts.statistics[0]["w"]}] * 3)
    found = merge(PLAIN, same, [0.2, 0.3, 0.5])["w"]
    torch.testing.assert_close(found, 0.2 * weights[0] + 0.3 * weights[1] + 0.5 * weights[2])


def test_regmean_unseen_inputs_give_mixture(array, merge):
    experts, weights, _ = random(array, num=2)
    grams = [experts.statistics[n]["w"].clone() for n in range(2)]
    for gram in grams:
        gram[2] = gram[:, 2] = 0.0
    blind = array([{"w": weight} for weight in weights], statistics=[{"w": gram} for gram in grams])
    found = merge(PLAIN, blind, [0.5, 0.5])["w"]
    torch.testing.assert_close(found[:, 2], weights[:, :, 2].mean(0))
    assert not torch.allclose(found[:, 0], weights[:, :, 0].mean(0), atol=1e-2)
    dark = array([{"w": weight} for weight in weights], statistics=[{"w": torch.zeros(6, 6)}] * 2)
    torch.testing.assert_close(merge(PLAIN, dark, [0.5, 0.5])["w"], weights.mean(0))


def test_regmean_permuted_experts_give_same(array, merge):
    experts, weights, _ = random(array)
    turned = array([{"w": w, "b": w[:, 0]} for w in weights.flip(0)], statistics=experts.statistics[::-1])
    found = merge(PLAIN, turned, [0.5, 0.3, 0.2])["w"]
    torch.testing.assert_close(merge(PLAIN, experts, [0.2, 0.3, 0.5])["w"], found)


def test_regmean_unusable_input_is_an_error(array, merge):
    experts = random(array)[0]
    with pytest.raises(MergeError, match="regmean needs coefficients that are at least 0"):
        merge(PLAIN, experts, [1.0, 0.5, -0.5])
    with pytest.raises(MergeError, match="regmean needs statistics of every expert"):
        merge(PLAIN, array([{"w": torch.ones(2, 2)}]), [1.0])
    with pytest.raises(MergeError, match=r"statistic of 'w' has shape \[2, 3\], expected \[3, 3\]"):
        merge(PLAIN, array([{"w": torch.ones(2, 3)}], statistics=({"w": torch.ones(2, 3)},)), [1.0])
