"""Select, calculate, erase."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.methods.sce import Sce

ALL = Sce(select_topk=1.0, least_energy=0.0)
HALF = Sce(select_topk=0.5, least_energy=0.0)
THIRDS = [1 / 3, 1 / 3, 1 / 3]


def around(array, *vectors, parent=1.0):
    rows = torch.tensor(vectors)
    base = torch.full_like(rows[0], parent)
    return array([{"w": base + row} for row in rows], parent={"w": base})


def test_sce_by_hand(array, merge):
    # variances 9, 1, 4, 0: of the three, int(3 * 0.7) = 2 stay: (4, 0, 1, 0), (-2, 0, 5, 0); energies 17/4, 29/4;
    # signs +, +: at the first value only the first expert counts
    two = around(array, (4.0, 1.0, 1.0, 3.0), (-2.0, 3.0, 5.0, 3.0))
    expected = torch.tensor([5.0, 1.0, 1 + (17 * 1 + 29 * 5) / 46, 1.0])
    method = Sce(select_topk=0.7, least_energy=0.0)
    torch.testing.assert_close(merge(method, two, [0.5, 0.5])["w"], expected)


def test_sce_coefficients_weigh_election_and_energies(array, merge):
    two = around(array, (4.0, 2.0), (-2.0, 4.0))
    # energies 10, 10; weights 0.2, 0.8; signs of 0.8 - 1.6 and 0.4 + 3.2
    torch.testing.assert_close(merge(ALL, two, [0.2, 0.8])["w"], torch.tensor([-1.0, 1 + 0.2 * 2 + 0.8 * 4]))


def test_sce_vertex_with_all_selected_is_its_expert(array, merge):
    three = around(array, *torch.randn(3, 40, generator=torch.Generator().manual_seed(0)).tolist())
    torch.testing.assert_close(merge(ALL, three, [0.0, 1.0, 0.0])["w"], three.weights[1])
    assert (ALL.properties.recovers_experts, HALF.properties.recovers_experts) == (True, False)


def test_sce_tied_signs_count_as_positive(array, merge):
    assert merge(ALL, around(array, (2.0,), (-2.0,)), [0.5, 0.5])["w"].tolist() == [3.0]
    assert merge(ALL, around(array, (-4.0,), (2.0,), (2.0,)), THIRDS)["w"].tolist() == [3.0]


def test_sce_permuted_experts_give_same(array, merge):
    rows = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    first = merge(HALF, around(array, *rows.tolist()), [0.5, 0.3, 0.2])["w"]
    other = merge(HALF, around(array, *rows[[2, 0, 1]].tolist()), [0.2, 0.5, 0.3])["w"]
    torch.testing.assert_close(first, other)


def test_sce_selects_ties_with_the_last(array, merge):
    two = around(array, (1.0, 1.0, 1.0, 1.0), (3.0, 3.0, 3.0, 1.0))
    # three have variance 1; int(3 * 0.5) = 1 of them was asked for; energies 3/4, 27/4
    torch.testing.assert_close(merge(HALF, two, [0.5, 0.5])["w"], torch.tensor([3.8, 3.8, 3.8, 1.0]))


def test_sce_of_equal_experts_selects_nothing(array, merge):
    two = around(array, (1.0, 2.0), (1.0, 2.0))
    assert merge(HALF, two, [0.5, 0.5])["w"].tolist() == [1.0, 1.0]
    assert merge(ALL, two, [0.5, 0.5])["w"].tolist() == [2.0, 3.0]
    assert merge(ALL, around(array, (0.0,), (0.0,)), [0.5, 0.5])["w"].tolist() == [1.0]


def test_sce_small_energies_count_as_equal(array, merge):
    two = around(array, (1e-4,), (3e-4,), parent=0.0)
    assert merge(ALL, two, [0.5, 0.5])["w"].tolist() == pytest.approx([2.8e-4])
    assert merge(Sce(select_topk=1.0, least_energy=1e-6), two, [0.5, 0.5])["w"].tolist() == pytest.approx([2e-4])


def test_sce_blocks_give_same(array, merge, monkeypatch):
    three = around(array, *torch.randn(3, 60, generator=torch.Generator().manual_seed(2)).tolist())
    whole = merge(HALF, three, [0.5, 0.3, 0.2])["w"]
    monkeypatch.setattr("dfwe.merging.engine.BLOCK", 7)
    torch.testing.assert_close(merge(HALF, three, [0.5, 0.3, 0.2])["w"], whole)


def test_sce_off_the_simplex_is_an_error(array, merge):
    with pytest.raises(MergeError, match="sce needs the experts' common parent"):
        merge(ALL, array([{"w": torch.ones(1)}]), [1.0])
    with pytest.raises(MergeError, match="sce needs coefficients that are at least 0 and add up to 1"):
        merge(ALL, around(array, (1.0,), (2.0,)), [1.5, -0.5])


def test_sce_matches_reference(reference, merge):
    experts, expected = reference("abc", merged="sce_top0.5")
    found = merge(Sce(select_topk=0.5, least_energy=1e-6), experts, THIRDS)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
