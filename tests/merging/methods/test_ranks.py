"""The n-th smallest without holding the values."""

import torch

from dfwe.merging.base import TensorGroup, TensorInfo
from dfwe.merging.methods.ranks import nth_smallest


def test_nth_smallest_matches_sorting():
    rows = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
    rows[:, :100], rows[0, 100:200] = 0.5, 0.0
    pieces = [
        TensorGroup(TensorInfo(name, 0.0), tuple(rows[:, part]))
        for name, part in (("v", slice(300)), ("w", slice(300, None)))
    ]
    found = nth_smallest(pieces, values=lambda piece: piece.experts, ranks=lambda size: range(1, size + 1, 37))
    for row, values in zip(rows, found, strict=True):
        assert list(values) == row.sort().values[::37].tolist()


def test_nth_smallest_of_extreme_values_is_in_order():
    values = torch.tensor([1e-44, -3e38, 0.0, 3e38, -1e-44])
    [found] = nth_smallest(
        [TensorGroup(TensorInfo("w", 0.0), (values,))],
        values=lambda piece: piece.experts,
        ranks=lambda size: range(1, size + 1),
    )
    assert list(found) == values.sort().values.tolist()
