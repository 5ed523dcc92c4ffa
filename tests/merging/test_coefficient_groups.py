"""Which tensors share a coefficient."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.base import ByLayer, ByModel, ByPattern
from dfwe.merging.methods.linear import Linear
from dfwe.merging.methods.spherical import Slerp

NAMES = ("shared", "enc.0.attention", "enc.0.norm", "enc.1.attention", "enc.2.norm", "last")


@pytest.mark.parametrize("by", [ByModel(), ByLayer(), ByPattern({"a": "attention", "n": "norm"})])
def test_groups_indices_point_to_each_tensors_group(by):
    names = by.names(NAMES)
    assert [names[index] for index in by.indices(NAMES)] == [by.group_of(name) for name in NAMES]


def test_groups_by_layer_have_a_rest():
    assert ByLayer().names(NAMES) == ("rest", "enc.0", "enc.1", "enc.2")
    assert ByLayer().indices(NAMES) == [0, 1, 1, 2, 3, 0]


def test_groups_by_pattern_take_first_match():
    by = ByPattern({"first": "enc.0", "attention": "attention"})
    assert by.names(NAMES) == ("first", "attention", "rest")
    assert by.indices(NAMES) == [2, 0, 0, 1, 2, 2]


def test_groups_by_pattern_without_match_is_an_error():
    with pytest.raises(MergeError, match=r"merge\.by\.patterns\.b: 'bias' matches no tensor"):
        ByPattern({"b": "bias"}).names(NAMES)
    with pytest.raises(MergeError, match=r"'\(' is not a regular expression"):
        ByPattern({"b": "("}).names(NAMES)


@pytest.mark.parametrize("method", [Linear(), Slerp(parallel=0.9995)])
def test_groups_merge_by_their_coefficients(array, merge, method):
    experts = [
        {
            name: torch.randn(4, generator=torch.Generator().manual_seed(10 * seed + place))
            for place, name in enumerate(NAMES)
        }
        for seed in (1, 2)
    ]
    both = array(experts)
    found = merge(method, both, [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0]], groups=ByLayer())
    half = merge(method, both, [0.5, 0.5])
    torch.testing.assert_close(found["shared"], experts[0]["shared"])
    torch.testing.assert_close(found["enc.0.norm"], experts[1]["enc.0.norm"])
    torch.testing.assert_close(found["enc.1.attention"], half["enc.1.attention"])
    torch.testing.assert_close(found["last"], experts[0]["last"])
