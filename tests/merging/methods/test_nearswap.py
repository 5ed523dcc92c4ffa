"""Nearswap by hand."""

import torch

from dfwe.merging.engine import TensorGroups
from dfwe.merging.methods.nearswap import Nearswap


def around(array, *vectors, parent=1.0):
    rows = torch.tensor(vectors)
    base = torch.full_like(rows[0], parent)
    return array([{"w": base + row} for row in rows], parent={"w": base})


def test_nearswap_moves_each_value_by_at_most_t(array, merge):
    one = around(array, (0.25, -0.25, 2.0, -2.0, 0.0))
    merged = merge(Nearswap(t=0.5), one, [1.0])["w"]
    assert merged.tolist() == [1.25, 0.75, 1.5, 0.5, 1.0]  # near: the other's; far: t / |d| of the way, that is t


def test_nearswap_is_the_published_interpolation(array, merge):
    one = around(array, *torch.randn(1, 50, generator=torch.Generator().manual_seed(0)).tolist())
    parent, other = one.parent, one.weights[0]
    weight = (0.3 / (parent - other).abs()).clamp(0.0, 1.0)
    torch.testing.assert_close(merge(Nearswap(t=0.3), one, [1.0])["w"], weight * other + (1 - weight) * parent)


def test_nearswap_goes_towards_the_mixture(array, merge):
    two = around(array, (1.0, 4.0), (3.0, 0.0))
    assert merge(Nearswap(t=2.5), two, [0.5, 0.5])["w"].tolist() == [3.0, 3.0]
    assert merge(Nearswap(t=1.0), two, [0.5, 0.5], t=2.5)["w"].tolist() == [3.0, 3.0]


def test_nearswap_merges_blocks_alike(array, merge, monkeypatch):
    experts = around(array, *torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(3)).tolist())
    whole = merge(Nearswap(t=0.5), experts, [0.5, 0.5])["w"]
    monkeypatch.setattr("dfwe.merging.engine.BLOCK", 7)
    assert torch.equal(merge(Nearswap(t=0.5), experts, [0.5, 0.5])["w"], whole)
    assert len(list(TensorGroups(experts))) == 1
