"""What is kept of a task vector."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.sparsify import Cut, cut, one_of


def test_a_cut_has_exactly_so_many_entries_below_it():
    sizes = torch.tensor([3.0, 1.0, 1.0, 2.0, 1.0, 0.0])
    for number in range(7):
        below = cut(sizes, num_below=number).below(sizes)
        assert int(below.sum()) == number
        assert not below.any() or sizes[below].max() <= (sizes[~below].min() if number < 6 else 3)


def test_of_equal_entries_the_first_are_below_wherever_a_block_begins():
    sizes = torch.ones(6)
    found = cut(sizes, num_below=4)
    assert found == Cut(1.0, before=4)
    assert found.below(sizes[3:], begin=3).tolist() == [True, False, False]


def test_an_unknown_variant_names_the_known_ones():
    with pytest.raises(MergeError, match="dare: rescale must be one of norm, none, not l1"):
        one_of("l1", name="rescale", known=("norm", "none"), rule="dare")
