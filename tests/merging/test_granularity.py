"""Which tensors share a coefficient."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.granularity import ByDepth, ByLayer, ByModel, ByPattern
from dfwe.merging.linear import Linear
from dfwe.merging.slerp import Slerp

NAMES = ("shared", "enc.0.attention", "enc.0.norm", "enc.1.attention", "enc.2.norm", "last")


@pytest.mark.parametrize("by", [ByModel(), ByLayer(), ByDepth(3), ByPattern({"a": "attention", "n": "norm"})])
def test_every_tensor_has_one_coefficient_in_all(by):
    shares = by.shares(NAMES)
    assert shares.shape == (len(NAMES), len(by.groups(NAMES)))
    assert shares.sum(axis=1).tolist() == [1.0] * len(NAMES)


def test_layers_are_groups_and_what_is_in_none_is_one_more():
    assert ByLayer().groups(NAMES) == ("rest", "enc.0", "enc.1", "enc.2")
    assert ByLayer().shares(NAMES)[2].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_the_first_pattern_that_is_found_counts():
    by = ByPattern({"first": "enc.0", "attention": "attention"})
    assert by.groups(NAMES) == ("first", "attention", "rest")
    assert by.shares(NAMES).argmax(axis=1).tolist() == [2, 0, 0, 1, 2, 2]


def test_depths_are_interpolated_between_the_first_layer_and_the_last():
    assert ByDepth(2).groups(NAMES) == ("depth0", "depth1")
    assert ByDepth(2).shares(NAMES)[:, 1].tolist() == [0.0, 0.0, 0.0, 0.5, 1.0, 0.0]


def test_what_fits_nothing_is_an_error():
    with pytest.raises(MergeError, match=r"'bias' \(b\) is in no tensor's name"):
        ByPattern({"b": "bias"}).groups(NAMES)
    with pytest.raises(MergeError, match=r"'\(' is no regular expression"):
        ByPattern({"b": "("}).groups(NAMES)
    with pytest.raises(MergeError, match="points must be at least 2"):
        ByDepth(1)


@pytest.mark.parametrize("rule", [Linear(), Slerp(parallel=0.9995)])
def test_each_group_is_merged_by_its_own_coefficients(array, merge, rule):
    experts = [
        {
            name: torch.randn(4, generator=torch.Generator().manual_seed(10 * seed + place))
            for place, name in enumerate(NAMES)
        }
        for seed in (1, 2)
    ]
    both = array(experts)
    found = merge(rule, both, [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0]], by=ByLayer())
    half = merge(rule, both, [0.5, 0.5])
    torch.testing.assert_close(found["shared"], experts[0]["shared"])
    torch.testing.assert_close(found["enc.0.norm"], experts[1]["enc.0.norm"])
    torch.testing.assert_close(found["enc.1.attention"], half["enc.1.attention"])
    torch.testing.assert_close(found["last"], experts[0]["last"])
