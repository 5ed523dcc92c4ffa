"""What the spectral methods share."""

import pytest
import torch

from dfwe.merging.methods.spectral import IsoC, TsvM, Wudi


@pytest.mark.parametrize(
    "method",
    [
        IsoC(scale=1.0, averaged=None),
        TsvM(scale=1.0, averaged=None),
        Wudi(steps=300, learning_rate=1e-2, averaged=None),
    ],
    ids=lambda method: type(method).__name__,
)
def test_merge_of_parents_is_the_parent(array, merge, method):
    parent = {"w": torch.randn(4, 5, generator=torch.Generator().manual_seed(0))}
    assert torch.equal(merge(method, array([parent, parent], parent), [0.5, 0.5])["w"], parent["w"])
