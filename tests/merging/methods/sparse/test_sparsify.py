"""What is kept of a task vector."""

import torch

from dfwe.merging.base import TensorGroup, TensorInfo
from dfwe.merging.methods.sparse.sparsify import MagnitudeThreshold, RandomMask, task_vectors


def test_threshold_has_exact_number_below():
    sizes = torch.tensor([3.0, 1.0, 1.0, 2.0, 1.0, 0.0])
    for number in range(7):
        below = MagnitudeThreshold.with_below(sizes, number=number).is_below(sizes)
        assert int(below.sum()) == number
        assert not below.any() or sizes[below].max() <= (sizes[~below].min() if number < 6 else 3)


def test_threshold_of_equal_entries_drops_first():
    sizes = torch.ones(6)
    threshold = MagnitudeThreshold.with_below(sizes, number=4)
    assert threshold == MagnitudeThreshold(1.0, before=4)
    assert threshold.is_below(sizes[3:], begin=3).tolist() == [True, False, False]


def test_random_mask_applies_at_block_position():
    experts, parent = [torch.tensor([4.0, 6.0]), torch.tensor([2.0, 3.0])], torch.tensor([1.0, 1.0])
    block = TensorGroup(TensorInfo("w", 0.0), experts, parent, begin=2)
    mask = torch.tensor([True, False, True, False])
    masks = (RandomMask(mask, 2.0), RandomMask(~mask, torch.tensor([1.0, 1.0, 1.0, 0.5])))
    sparse = [mask.apply(vector, begin=2) for mask, vector in zip(masks, task_vectors(block), strict=True)]
    assert [vector.tolist() for vector in sparse] == [[6.0, 0.0], [0.0, 1.0]]
    assert [expert.tolist() for expert in experts] == [[4.0, 6.0], [2.0, 3.0]]
