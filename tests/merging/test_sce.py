"""Select, calculate, erase."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.sce import Sce

ALL = Sce(select_topk=1.0, least_energy=0.0)
HALF = Sce(select_topk=0.5, least_energy=0.0)
THIRDS = [1 / 3, 1 / 3, 1 / 3]


def around(array, *vectors, parent=1.0):
    rows = torch.tensor(vectors)
    base = torch.full_like(rows[0], parent)
    return array([{"w": base + row} for row in rows], parent={"w": base})


def test_selection_weights_and_erasure_by_hand(array, merge):
    # variances 9, 1, 4, 0: of the three, int(3 * 0.7) = 2 stay: (4, 0, 1, 0), (-2, 0, 5, 0); energies 17/4, 29/4;
    # signs +, +: at the first value only the first expert counts
    two = around(array, (4.0, 1.0, 1.0, 3.0), (-2.0, 3.0, 5.0, 3.0))
    expected = torch.tensor([5.0, 1.0, 1 + (17 * 1 + 29 * 5) / 46, 1.0])
    rule = Sce(select_topk=0.7, least_energy=0.0)
    torch.testing.assert_close(merge(rule, two, [0.5, 0.5])["w"], expected)


def test_coefficients_weigh_the_election_and_the_energies(array, merge):
    two = around(array, (4.0, 2.0), (-2.0, 4.0))
    # energies 10, 10; weights 0.2, 0.8; signs of 0.8 - 1.6 and 0.4 + 3.2
    torch.testing.assert_close(merge(ALL, two, [0.2, 0.8])["w"], torch.tensor([-1.0, 1 + 0.2 * 2 + 0.8 * 4]))


def test_a_vertex_is_its_expert_where_all_is_selected(array, merge):
    three = around(array, *torch.randn(3, 40, generator=torch.Generator().manual_seed(0)).tolist())
    torch.testing.assert_close(merge(ALL, three, [0.0, 1.0, 0.0])["w"], three.weights[1])
    assert (ALL.traits.vertices, HALF.traits.vertices) == (True, False)


def test_a_draw_of_signs_counts_as_positive(array, merge):
    assert merge(ALL, around(array, (2.0,), (-2.0,)), [0.5, 0.5])["w"].tolist() == [3.0]
    assert merge(ALL, around(array, (-4.0,), (2.0,), (2.0,)), THIRDS)["w"].tolist() == [3.0]


def test_the_experts_order_does_not_matter(array, merge):
    rows = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    first = merge(HALF, around(array, *rows.tolist()), [0.5, 0.3, 0.2])["w"]
    other = merge(HALF, around(array, *rows[[2, 0, 1]].tolist()), [0.2, 0.5, 0.3])["w"]
    torch.testing.assert_close(first, other)


def test_values_that_tie_with_the_last_selected_are_selected(array, merge):
    two = around(array, (1.0, 1.0, 1.0, 1.0), (3.0, 3.0, 3.0, 1.0))
    # three have variance 1; int(3 * 0.5) = 1 of them was asked for; energies 3/4, 27/4
    torch.testing.assert_close(merge(HALF, two, [0.5, 0.5])["w"], torch.tensor([3.8, 3.8, 3.8, 1.0]))


def test_experts_that_are_alike_have_nothing_to_select(array, merge):
    two = around(array, (1.0, 2.0), (1.0, 2.0))
    assert merge(HALF, two, [0.5, 0.5])["w"].tolist() == [1.0, 1.0]
    assert merge(ALL, two, [0.5, 0.5])["w"].tolist() == [2.0, 3.0]
    assert merge(ALL, around(array, (0.0,), (0.0,)), [0.5, 0.5])["w"].tolist() == [1.0]


def test_energies_below_the_least_count_as_equal(array, merge):
    two = around(array, (1e-4,), (3e-4,), parent=0.0)
    assert merge(ALL, two, [0.5, 0.5])["w"].tolist() == pytest.approx([2.8e-4])
    assert merge(Sce(select_topk=1.0, least_energy=1e-6), two, [0.5, 0.5])["w"].tolist() == pytest.approx([2e-4])


def test_blocks_change_nothing(array, merge, monkeypatch):
    three = around(array, *torch.randn(3, 60, generator=torch.Generator().manual_seed(2)).tolist())
    whole = merge(HALF, three, [0.5, 0.3, 0.2])["w"]
    monkeypatch.setattr("dfwe.merging.driver.BLOCK", 7)
    torch.testing.assert_close(merge(HALF, three, [0.5, 0.3, 0.2])["w"], whole)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"select_topk": 0.0}, r"select_topk must be in \(0, 1\], not 0"),
        ({"select_topk": 1.5}, r"select_topk must be in \(0, 1\], not 1.5"),
        ({"least_energy": -1.0}, "least_energy must be at least 0, not -1"),
    ],
)
def test_wrong_settings_are_errors(array, merge, settings, message):
    with pytest.raises(MergeError, match=f"sce: {message}"):
        merge(Sce(**{"select_topk": 1.0, "least_energy": 0.0, **settings}), around(array, (1.0,), (2.0,)), [0.5, 0.5])


def test_it_needs_the_parent_and_the_simplex(array, merge):
    with pytest.raises(MergeError, match="sce needs the experts' common parent"):
        merge(ALL, array([{"w": torch.ones(1)}]), [1.0])
    with pytest.raises(MergeError, match="sce needs coefficients that are at least 0 and add up to 1"):
        merge(ALL, around(array, (1.0,), (2.0,)), [1.5, -0.5])


def test_a_recipe_may_give_weights():
    assert Sce.merges(["a", "base", "b"], base="base") == ("a", "b")
    assert Sce.from_recipe([None, None], {}) == (Sce(select_topk=1.0, least_energy=1e-6), (0.5, 0.5))
    assert Sce.from_recipe([1.0, 3.0], {"select_topk": 0.3})[1] == (0.25, 0.75)
    with pytest.raises(MergeError, match="common parent"):
        Sce.merges(["a", "b"], base=None)


def test_the_reference_merge_is_met(reference, merge):
    experts, expected = reference("abc", merged="sce_top0.5")
    found = merge(Sce(select_topk=0.5, least_energy=1e-6), experts, THIRDS)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
