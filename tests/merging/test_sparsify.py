"""What is kept of a task vector."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.base import Piece
from dfwe.merging.place import Place
from dfwe.merging.sparsify import Cut, Kept, cut, mergekit_settings, one_of, sparse_vectors


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


def test_a_block_of_each_task_vector_is_thinned_at_its_own_place():
    experts, parent = [torch.tensor([4.0, 6.0]), torch.tensor([2.0, 3.0])], torch.tensor([1.0, 1.0])
    block = Piece(Place("w", 0.0), experts, parent, begin=2)
    mask = torch.tensor([True, False, True, False])
    kept = (Kept(mask, 2.0), Kept(~mask, torch.tensor([1.0, 1.0, 1.0, 0.5])))
    assert [each.tolist() for each in sparse_vectors(block, kept=kept)] == [[6.0, 0.0], [0.0, 1.0]]
    assert [each.tolist() for each in experts] == [[4.0, 6.0], [2.0, 3.0]]


@pytest.mark.parametrize(("asked", "ours"), [({}, "norm"), ({"rescale": True}, "norm"), ({"rescale": False}, "none")])
def test_mergekits_rescale_is_by_the_norm(asked, ours):
    assert mergekit_settings(asked, normalize=False, rescale=True, rule="dare")["rescale"] == ours


def test_an_unknown_variant_names_the_known_ones():
    with pytest.raises(MergeError, match="dare: rescale must be one of norm, none, not l1"):
        one_of("l1", name="rescale", known=("norm", "none"), rule="dare")
