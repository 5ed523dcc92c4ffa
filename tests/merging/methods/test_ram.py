"""RAM by hand."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.methods.ram import Ram


def around(array, *vectors, parent=1.0):
    rows = torch.tensor(vectors)
    base = torch.full_like(rows[0], parent)
    return array([{"w": base + row} for row in rows], parent={"w": base})


def test_ram_averages_each_value_over_those_that_changed_it(array, merge):
    three = around(array, (0.75, 0.75, 0.5, 0.0), (0.25, 0.0, -0.5, 0.0), (0.5, 0.0, 0.0, 0.0))
    merged = merge(Ram(epsilon=0.0), three, [1 / 3] * 3)["w"]
    torch.testing.assert_close(merged, torch.tensor([1.5, 1.75, 1.0, 1.0]))


def test_ram_weighs_those_that_changed_a_value(array, merge):
    two = around(array, (1.0, 1.0, 0.0), (3.0, 0.0, 2.0))
    merged = merge(Ram(epsilon=0.0), two, [0.75, 0.25])["w"]
    torch.testing.assert_close(merged, torch.tensor([1 + (0.75 + 0.75), 2.0, 3.0]))


def test_small_changes_count_as_none(array, merge):
    two = around(array, (0.5, 0.125, -0.125), (0.125, 0.125, 1.0), parent=0.0)
    torch.testing.assert_close(merge(Ram(epsilon=0.125), two, [0.5, 0.5])["w"], torch.tensor([0.5, 0.0, 1.0]))
    merged = merge(Ram(epsilon=0.125), two, [0.5, 0.5], epsilon=0.0)["w"]
    torch.testing.assert_close(merged, torch.tensor([0.3125, 0.125, 0.4375]))


def test_ram_recovers_an_expert_if_all_changes_count(array, merge):
    two = around(array, *torch.randn(2, 9, generator=torch.Generator().manual_seed(1)).tolist())
    assert Ram(epsilon=0.0).properties.recovers_experts
    torch.testing.assert_close(merge(Ram(epsilon=0.0), two, [0.0, 1.0])["w"], two.weights[1])


def test_ram_merges_blocks_alike(array, merge, monkeypatch):
    experts = around(array, *torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(3)).tolist())
    whole = merge(Ram(epsilon=0.3), experts, [0.4, 0.6])["w"]
    monkeypatch.setattr("dfwe.merging.engine.BLOCK", 7)
    assert torch.equal(merge(Ram(epsilon=0.3), experts, [0.4, 0.6])["w"], whole)


def test_ram_needs_the_simplex(array, merge):
    with pytest.raises(MergeError, match="ram needs coefficients that are at least 0 and add up to 1"):
        merge(Ram(epsilon=0.0), around(array, (1.0,), (2.0,)), [1.5, -0.5])
