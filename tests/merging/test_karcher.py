"""The mean on the sphere."""

import math

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.karcher import Karcher
from dfwe.merging.slerp import Slerp

RULE = Karcher(max_iter=10, tol=1e-5)
EXACT = Karcher(max_iter=100, tol=1e-10)


def at(degrees, length=1.0):
    angle = math.radians(degrees)
    return {"w": length * torch.tensor([math.cos(angle), math.sin(angle)])}


def random(array, order=(0, 1, 2)):
    rows = torch.randn(3, 30, generator=torch.Generator().manual_seed(0)).abs()
    return array([{"w": rows[place]} for place in order])


def test_on_a_circle_it_is_the_mean_of_the_angles_and_of_the_lengths(array, merge):
    # 0.5 * 0 + 0.25 * 20 + 0.25 * 100 degrees; the normalised mean of directions has 25.3
    three = array([at(0), at(20, 2.0), at(100, 4.0)])
    torch.testing.assert_close(merge(EXACT, three, [0.5, 0.25, 0.25])["w"], at(30, 2.0)["w"])


def test_of_two_experts_of_one_length_it_is_slerp(array, merge):
    rows = torch.nn.functional.normalize(torch.randn(2, 30, generator=torch.Generator().manual_seed(0)), dim=1)
    two = array([{"w": row} for row in rows])
    expected = merge(Slerp(parallel=0.9995), two, [0.7, 0.3])["w"]
    torch.testing.assert_close(merge(EXACT, two, [0.7, 0.3])["w"], expected)


def test_at_the_mean_the_experts_pulls_cancel(array, merge):
    three, weights = random(array), torch.tensor([0.5, 0.3, 0.2])
    mean = torch.nn.functional.normalize(merge(EXACT, three, weights.tolist())["w"].double(), dim=0)
    units = torch.nn.functional.normalize(three.weights.double(), dim=1)
    angles = torch.acos(units @ mean)
    pulls = (angles / angles.sin()).unsqueeze(1) * (units - torch.outer(units @ mean, mean))
    assert float((weights.double() @ pulls).norm()) < 1e-6


@pytest.mark.parametrize("vertex", [0, 1, 2])
def test_a_vertex_is_its_expert(array, merge, vertex):
    three = random(array)
    torch.testing.assert_close(merge(RULE, three, torch.eye(3)[vertex].tolist())["w"], three.weights[vertex])


def test_the_experts_order_does_not_matter(array, merge):
    first = merge(RULE, random(array), [0.5, 0.3, 0.2])["w"]
    torch.testing.assert_close(first, merge(RULE, random(array, order=(2, 0, 1)), [0.2, 0.5, 0.3])["w"])


def test_a_short_expert_has_no_direction_and_only_short_ones_are_mixed_linearly(array, merge):
    short = {"v": torch.zeros(2), "w": torch.tensor([2e-6, 0.0])}
    two = array([short, {"v": torch.tensor([0.0, 4.0]), "w": torch.tensor([0.0, 4e-6])}])
    merged = merge(RULE, two, [0.5, 0.5])
    torch.testing.assert_close(merged["v"], torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(merged["w"], torch.tensor([1e-6, 2e-6]))
    assert merge(RULE, two, [1.0, 0.0])["v"].tolist() == [0.0, 0.0]


def test_opposite_experts_start_at_the_first_and_stay_finite(array, merge):
    two = array([{"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([-1.0, -2.0])}])
    torch.testing.assert_close(merge(RULE, two, [0.5, 0.5])["w"], torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_iter": -1}, "max_iter must be at least 0, not -1"),
        ({"tol": 0.0}, "tol must be greater than 0, not 0"),
    ],
)
def test_wrong_settings_are_errors(array, merge, settings, message):
    with pytest.raises(MergeError, match=f"karcher: {message}"):
        merge(Karcher(**{"max_iter": 10, "tol": 1e-5, **settings}), random(array), [0.5, 0.3, 0.2])


def test_coefficients_beside_the_simplex_are_an_error(array, merge):
    with pytest.raises(MergeError, match="karcher needs coefficients that are at least 0 and add up to 1"):
        merge(RULE, random(array), [0.8, 0.4, -0.2])


def test_a_recipe_may_give_weights():
    assert Karcher.from_recipe([None, None], {}) == (RULE, (0.5, 0.5))
    assert Karcher.from_recipe([1.0, 3.0], {"tol": 0.1}) == (Karcher(max_iter=10, tol=0.1), (0.25, 0.75))


def test_the_reference_merge_is_met(reference, merge):
    experts, expected = reference("abc", merged="karcher")
    found = merge(RULE, experts, [1 / 3, 1 / 3, 1 / 3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
