"""Arcee Fusion by hand."""

import math

import torch

from dfwe.merging.methods.arcee_fusion import ArceeFusion


def random_pair(array, *, rows, columns, seed=0):
    generator = torch.Generator().manual_seed(seed)
    parent = torch.randn(rows, columns, generator=generator)
    other = parent + torch.randn(rows, columns, generator=generator).pow(3) / 20
    return array([{"w": other}], parent={"w": parent}), parent, other


def importance(parent, other):
    """The published score in plain Python, value by value."""
    scores = []
    for row, start in zip(other.tolist(), parent.tolist(), strict=True):
        p, q = ([math.exp(value) for value in values] for values in (row, start))
        p, q = ([value / sum(values) for value in values] for values in (p, q))
        divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        scores += [abs(a - b) * divergence for a, b in zip(row, start, strict=True)]
    return scores


def test_outliers_alone_are_taken_over(array, merge):
    for columns in (8, 9, 10, 11):  # quartiles between two values are the lower one
        experts, parent, other = random_pair(array, rows=3, columns=columns, seed=columns)
        scores = importance(parent.double(), other.double())
        ordered = sorted(scores)
        first, median, third = (ordered[math.floor(share * (len(ordered) - 1))] for share in (0.25, 0.5, 0.75))
        is_outlier = torch.tensor([score >= median + 1.5 * (third - first) for score in scores]).view(3, columns)
        assert 0 < is_outlier.sum() < is_outlier.numel() / 2
        merged = merge(ArceeFusion(fence=1.5), experts, [1.0])["w"]
        assert torch.equal(merged, torch.where(is_outlier, other, parent))


def test_fence_of_zero_takes_over_half(array, merge):
    experts, _, other = random_pair(array, rows=4, columns=5)
    merged = merge(ArceeFusion(fence=1.5), experts, [1.0], fence=0.0)["w"]
    assert int((merged == other).sum()) == 11  # the median and what is above it
    assert torch.equal(merged, merge(ArceeFusion(fence=0.0), experts, [1.0])["w"])


def test_mixture_of_experts_stands_for_the_other_model(array, merge):
    _, parent, other = random_pair(array, rows=4, columns=8)
    step = torch.randn(4, 8, generator=torch.Generator().manual_seed(5)) / 8
    one, two = (
        array([{"w": other}], parent={"w": parent}),
        array([{"w": other + step}, {"w": other - step}], parent={"w": parent}),
    )
    expected = merge(ArceeFusion(fence=1.5), one, [1.0])["w"]
    torch.testing.assert_close(merge(ArceeFusion(fence=1.5), two, [0.5, 0.5])["w"], expected)


def test_vectors_numbers_and_equal_models_are_merged(array, merge):
    parent = {"v": torch.tensor([1.0, 2.0, 3.0, 4.0]), "n": torch.tensor(2.0)}
    other = {"v": torch.tensor([1.0, 2.0, 3.0, 9.0]), "n": torch.tensor(3.0)}
    merged = merge(ArceeFusion(fence=1.5), array([other], parent=parent), [1.0])
    assert merged["v"].tolist() == [1.0, 2.0, 3.0, 9.0]
    same = merge(ArceeFusion(fence=1.5), array([parent], parent=parent), [1.0])
    assert all(torch.equal(same[name], parent[name]) for name in parent)
