"""The mean on the sphere."""

import math

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.methods.spherical import Karcher, Slerp

METHOD = Karcher(max_iter=10, tol=1e-5)
EXACT = Karcher(max_iter=100, tol=1e-10)


def at(degrees, length=1.0):
    angle = math.radians(degrees)
    return {"w": length * torch.tensor([math.cos(angle), math.sin(angle)])}


def random(array, order=(0, 1, 2)):
    rows = torch.randn(3, 30, generator=torch.Generator().manual_seed(0)).abs()
    return array([{"w": rows[place]} for place in order])


def test_karcher_on_a_circle_averages_angles_and_lengths(array, merge):
    # 0.5 * 0 + 0.25 * 20 + 0.25 * 100 degrees; the normalised mean of directions has 25.3
    three = array([at(0), at(20, 2.0), at(100, 4.0)])
    torch.testing.assert_close(merge(EXACT, three, [0.5, 0.25, 0.25])["w"], at(30, 2.0)["w"])


def test_karcher_of_two_equal_lengths_is_slerp(array, merge):
    rows = torch.nn.functional.normalize(torch.randn(2, 30, generator=torch.Generator().manual_seed(0)), dim=1)
    two = array([{"w": row} for row in rows])
    expected = merge(Slerp(parallel=0.9995), two, [0.7, 0.3])["w"]
    torch.testing.assert_close(merge(EXACT, two, [0.7, 0.3])["w"], expected)


def test_karcher_mean_cancels_pulls(array, merge):
    three, weights = random(array), torch.tensor([0.5, 0.3, 0.2])
    mean = torch.nn.functional.normalize(merge(EXACT, three, weights.tolist())["w"].double(), dim=0)
    units = torch.nn.functional.normalize(three.weights.double(), dim=1)
    angles = torch.acos(units @ mean)
    pulls = (angles / angles.sin()).unsqueeze(1) * (units - torch.outer(units @ mean, mean))
    assert float((weights.double() @ pulls).norm()) < 1e-6


@pytest.mark.parametrize("vertex", [0, 1, 2])
def test_karcher_vertex_is_its_expert(array, merge, vertex):
    three = random(array)
    torch.testing.assert_close(merge(METHOD, three, torch.eye(3)[vertex].tolist())["w"], three.weights[vertex])


def test_karcher_permuted_experts_give_same(array, merge):
    first = merge(METHOD, random(array), [0.5, 0.3, 0.2])["w"]
    torch.testing.assert_close(first, merge(METHOD, random(array, order=(2, 0, 1)), [0.2, 0.5, 0.3])["w"])


def test_karcher_short_experts_have_no_direction(array, merge):
    short = {"v": torch.zeros(2), "w": torch.tensor([2e-6, 0.0])}
    two = array([short, {"v": torch.tensor([0.0, 4.0]), "w": torch.tensor([0.0, 4e-6])}])
    merged = merge(METHOD, two, [0.5, 0.5])
    torch.testing.assert_close(merged["v"], torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(merged["w"], torch.tensor([1e-6, 2e-6]))
    assert merge(METHOD, two, [1.0, 0.0])["v"].tolist() == [0.0, 0.0]


def test_karcher_of_opposite_experts_is_finite(array, merge):
    two = array([{"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([-1.0, -2.0])}])
    torch.testing.assert_close(merge(METHOD, two, [0.5, 0.5])["w"], torch.tensor([1.0, 2.0]))


def test_karcher_off_the_simplex_is_an_error(array, merge):
    with pytest.raises(MergeError, match="karcher needs coefficients that are at least 0 and add up to 1"):
        merge(METHOD, random(array), [0.8, 0.4, -0.2])


def test_karcher_matches_reference(reference, merge):
    experts, expected = reference("abc", merged="karcher")
    found = merge(METHOD, experts, [1 / 3, 1 / 3, 1 / 3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
