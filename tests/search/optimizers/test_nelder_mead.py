from __future__ import annotations

import itertools

import nevergrad
import numpy as np
import pytest
from scipy.optimize import minimize

from dfwe.search.optimizers.nevergrad import REGISTERED_NAME, Moves, NelderMeadFamily, nelder_mead, register

SIMPLEX = [(0, 0), (1, 0), (0, 1)]


def asked(function, *, start, num, step=1.0, adaptive=False):
    points = nelder_mead(start, step=step, moves=Moves.of(len(start), adaptive=adaptive))
    found = [next(points)]
    while len(found) < num:
        found.append(points.send(float(function(found[-1]))))
    return np.array(found)


def bowl(*, around):
    return lambda point: float(((point - np.array(around)) ** 2).sum())


def valley(point):
    """Smooth, curved, and lopsided enough that no two corners tie, where orders may differ."""
    first, second, third, fourth = point
    bent = (first - 1.07) ** 2 + 3 * (second + first**2 - 0.11) ** 2
    return bent + (third - fourth + 0.03) ** 2 + 1.3 * (fourth - 0.21) ** 4


@pytest.mark.parametrize(
    ("loss", "then"),
    [
        # Reflected (1, 1) is the best so far, expanded (1.5, 1.5) better; the next reflection is the best
        # but one and kept.
        (bowl(around=(2, 2)), [(1, 1), (1.5, 1.5), (2.5, 0.5), (3, 2)]),
        # Reflected (1, -1) is worse than all, inside (0.25, 0.5) better; the next reflection leaves (1, 0).
        (bowl(around=(0.25, 0.25)), [(1, -1), (0.25, 0.5), (-0.75, 0.5)]),
        # Reflected (1, -1) beats the worst corner only, outside (0.75, -0.5) beats it; next leaves (1, 0).
        (bowl(around=(0.5, -0.25)), [(1, -1), (0.75, -0.5), (-0.25, -0.5)]),
        # On a plateau neither reflection nor contraction gains: the others halve their distance to the first.
        (lambda point: 1.0, [(1, -1), (0.25, 0.5), (0.5, 0), (0, 0.5), (0.5, -0.5)]),
    ],
    ids=["expansion and reflection", "inside contraction", "outside contraction", "shrink"],
)
def test_nelder_mead_moves_match_hand_computation(loss, then):
    points = asked(loss, start=np.zeros(2), num=3 + len(then))
    np.testing.assert_allclose(points, SIMPLEX + then, atol=1e-15)


@pytest.mark.parametrize("adaptive", [False, True])
def test_nelder_mead_asks_the_points_of_scipy(adaptive):
    start, theirs = np.zeros(4), []

    def recorded(point):
        theirs.append(point.copy())
        return valley(point)

    simplex = np.vstack([start, np.eye(4)])
    options = {"initial_simplex": simplex, "maxfev": 120, "adaptive": adaptive, "xatol": 0, "fatol": 0}
    minimize(recorded, start, method="Nelder-Mead", options=options)
    ours = asked(valley, start=start, num=len(theirs), adaptive=adaptive)
    assert len(theirs) >= 119
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_nelder_mead_adaptive_moves_are_gao_and_hans():
    assert Moves.of(5, adaptive=True) == Moves(1.0, 1.4, 0.65, 0.8)
    assert Moves.of(2, adaptive=True) == Moves.of(2, adaptive=False)
    assert Moves.of(1, adaptive=True) == Moves(1.0, 2.0, 0.5, 0.5)


def test_nelder_mead_equal_losses_keep_their_order():
    first = asked(lambda point: 1.0, start=np.zeros(3), num=30)
    np.testing.assert_array_equal(first, asked(lambda point: 1.0, start=np.zeros(3), num=30))
    # The last corner is the worst of equals: the first reflection leaves it.
    np.testing.assert_allclose(first[4], [2 / 3, 2 / 3, -1])


def test_nelder_mead_works_with_nevergrads_minimize():
    register()
    point, scale = nevergrad.p.Array(shape=(2,)), nevergrad.p.Scalar(init=2.0)
    parametrization = nevergrad.p.Instrumentation(point, scale=scale)
    optimizer = nevergrad.optimizers.registry[REGISTERED_NAME](parametrization, budget=200)
    best = optimizer.minimize(lambda point, scale: float(((point - 0.5) ** 2).sum() + (scale - 1) ** 2))
    np.testing.assert_allclose(best.args[0], [0.5, 0.5], atol=1e-3)
    assert best.kwargs["scale"] == pytest.approx(1.0, abs=1e-3)
    assert optimizer.num_ask == optimizer.num_tell == 200


def test_nelder_mead_starts_at_the_centre_with_step():
    optimizer = NelderMeadFamily(step=0.5)(nevergrad.p.Array(init=np.array([3.0, 4.0])), budget=10)
    points = []
    for loss in (1.0, 2.0, 3.0):
        candidate = optimizer.ask()
        points.append(candidate.value)
        optimizer.tell(candidate, loss)
    np.testing.assert_allclose(points, [(3, 4), (3.5, 4), (3, 4.5)])


def test_nelder_mead_second_tell_of_a_point_is_ignored():
    optimizer = NelderMeadFamily()(2, budget=10)
    first, second = optimizer.ask(), optimizer.ask()
    np.testing.assert_array_equal(first.value, second.value)
    optimizer.tell(second, 1.0)
    pending = optimizer.ask()
    optimizer.tell(first, 5.0)
    np.testing.assert_array_equal(pending.value, [1, 0])
    np.testing.assert_array_equal(optimizer.ask().value, [1, 0])


def test_nelder_mead_foreign_point_keeps_the_simplex():
    loss = bowl(around=(2, 2))
    optimizer = NelderMeadFamily()(2, budget=10)
    points = []
    for _ in range(7):
        stranger = optimizer.parametrization.spawn_child(new_value=np.array([2.0, 2.0]))
        optimizer.tell(stranger, 0.0)
        candidate = optimizer.ask()
        points.append(candidate.value)
        optimizer.tell(candidate, loss(candidate.value))
    np.testing.assert_allclose(points, asked(loss, start=np.zeros(2), num=7))
    assert optimizer.num_tell_not_asked == 7
    np.testing.assert_array_equal(optimizer.recommend().value, [2, 2])


def test_nelder_mead_accepts_infinite_losses():
    half = asked(lambda point: np.inf if point[0] > 0.2 else (point[0] + 1) ** 2, start=np.zeros(1), num=30)
    assert np.isfinite(half).all()
    assert min(abs(half[:, 0] + 1)) < 1e-2


def test_nelder_mead_refuses_parallel_workers():
    with pytest.raises(ValueError, match="does not support parallelization"):
        NelderMeadFamily()(2, budget=10, num_workers=2)


def test_nelder_mead_registers_once():
    register()
    register()
    names = [name for name in nevergrad.optimizers.registry if name == REGISTERED_NAME]
    assert names == [REGISTERED_NAME]


def test_nelder_mead_family_has_its_settings():
    assert NelderMeadFamily(step=2.0, adaptive=True).config() == {"step": 2.0, "adaptive": True}
    differing = itertools.combinations([NelderMeadFamily(step=step) for step in (0.5, 1.0)], 2)
    assert all(one != other for one, other in differing)
