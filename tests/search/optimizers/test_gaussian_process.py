from __future__ import annotations

import numpy as np

from dfwe.records import Evaluation, Trial
from dfwe.search.optimizers.gaussian_process import GaussianProcess, expected_improvement
from dfwe.search.space import Range, Setting, Space

ABC = Space(("a", "b", "c"))
WIDE = Space(
    ("a", "b"), groups=("low", "high"), box=Range(-0.5, 1.2), settings=(Setting("scale", Range(1.0, 5.0), 2.0),)
)
BEST = np.array([0.6, 0.3, 0.1])


def loss(values):
    return float(np.round(((values - BEST) ** 2).sum(), 2))


def made(space=ABC, *, seed=0, first=3):
    return GaussianProcess(space, first=first, candidates=60, seed=seed, budget=20)


def run(search, *, space=ABC, num=12, losses=(), of=loss):
    points = []
    for index in range(num):
        points.append(search.ask())
        told = losses[index] if index < len(losses) else of(space.at(points[-1]).as_array())
        search.tell(points[-1], loss=told)
    return np.array(points)


def expert(space, name, score):
    return Trial(0, "expert", space.vertex(name), Evaluation(score, {}, ("yes",), np.ones((1, 2))))


def test_expected_improvement_matches_the_formula():
    # z = 0: s phi(0); certainly 2 lower: 2; certainly higher: nothing
    found = expected_improvement(np.array([0.0, -2.0, 2.0]), np.array([1.0, 1e-6, 1e-6]), least=0.0)
    np.testing.assert_allclose(found, [1 / np.sqrt(2 * np.pi), 2.0, 0.0], atol=1e-9)


def test_gaussian_process_same_losses_give_same_points():
    points = run(made())
    losses = [loss(ABC.at(point).as_array()) for point in points[:8]]
    np.testing.assert_array_equal(run(made(), losses=losses), points)
    assert not np.array_equal(run(made(seed=1)), points)


def test_gaussian_process_improves_on_its_first_draws():
    away = [np.abs(ABC.at(point).as_array() - BEST).max() for point in run(made(), num=15)]
    assert min(away[3:]) < 0.05 < min(away[:3])


def test_gaussian_process_observes_experts_at_vertices():
    scores = {"a": 0.9, "b": 0.1, "c": 0.2}
    with_experts, without = made(first=0), made(Space(("a", "b", "c"), vertices=False), first=0)
    for search in (with_experts, without):
        search.initialize([expert(ABC, name, score) for name, score in scores.items()])
    assert ABC.at(with_experts.ask()).values[0] > 0.5
    np.testing.assert_array_equal(without.ask(), made(first=1).ask())  # nothing is known: a draw


def test_gaussian_process_stays_inside_ranges():
    search = made(WIDE, first=2)
    search.initialize([expert(WIDE, "a", 0.4), expert(WIDE, "b", 0.3)])
    points = run(search, space=WIDE, num=8, of=lambda values: float(values[-1] + values[0] ** 2))
    values = np.array([WIDE.at(point).values for point in points])
    assert ((values[:, :4] >= -0.5) & (values[:, :4] <= 1.2)).all()
    assert ((values[:, 4] >= 1.0) & (values[:, 4] <= 5.0)).all()
    assert values[2:, 4].mean() < 3.0  # the setting's low values have the low losses


def test_gaussian_process_accepts_equal_losses():
    assert np.isfinite(run(made(), num=6, losses=[0.5] * 6)).all()


def test_gaussian_process_neither_prunes_nor_batches():
    assert (made().supports_pruning, made().batch_size) == (False, 1)
