"""What is kept of a task vector."""

import torch

from dfwe.merging.base import TensorGroup, TensorInfo
from dfwe.merging.methods.sparse import Mask, smallest


def test_smallest_marks_exact_number():
    sizes = torch.tensor([3.0, 1.0, 1.0, 2.0, 1.0, 0.0])
    for number in range(7):
        marked = smallest(sizes, number=number)
        assert int(marked.sum()) == number
        assert not marked.any() or sizes[marked].max() <= (sizes[~marked].min() if number < 6 else 3)


def test_smallest_of_equal_entries_marks_first():
    assert smallest(torch.ones(4), number=3).tolist() == [True, True, True, False]


def test_mask_applies_at_block_position():
    experts, parent = [torch.tensor([4.0, 6.0]), torch.tensor([2.0, 3.0])], torch.tensor([1.0, 1.0])
    block = TensorGroup(TensorInfo("w", 0.0), experts, parent, begin=2)
    mask = torch.tensor([True, False, True, False])
    masks = (Mask(mask, 2.0), Mask(~mask, torch.tensor([1.0, 1.0, 1.0, 0.5])))
    sparse = [mask.apply(vector, begin=2) for mask, vector in zip(masks, block.task_vectors(), strict=True)]
    assert [vector.tolist() for vector in sparse] == [[6.0, 0.0], [0.0, 1.0]]
    assert [expert.tolist() for expert in experts] == [[4.0, 6.0], [2.0, 3.0]]
