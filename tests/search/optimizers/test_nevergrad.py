from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import dfwe
from dfwe.errors import SearchError
from dfwe.search.optimizers.nevergrad import NevergradSearch
from dfwe.search.space import Space

OPTIMIZERS = ["UnitNelderMead", "CMA", "DE", "TwoPointsDE", "OnePlusOne", "PSO", "NelderMead"]


def loss(point):
    """Steps of a tenth, as a score of ten examples has."""
    return float(np.round(((point - 1) ** 2).sum(), 1))


def run(optimizer, *, seed=3, losses=(), num=40, **options):
    """The points asked; the first are told the given losses, the others their own."""
    search = NevergradSearch(Space(tuple("abcd")), optimizer=optimizer, seed=seed, budget=num, **options)
    points = []
    for index in range(num):
        points.append(search.ask())
        search.tell(points[-1], loss=losses[index] if index < len(losses) else loss(points[-1]))
    search.close()
    return np.array(points)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_nevergrad_same_losses_give_same_points(optimizer):
    points = run(optimizer)
    np.random.rand()  # the global state must not matter
    np.testing.assert_array_equal(run(optimizer, losses=[loss(point) for point in points[:25]]), points)


@pytest.mark.parametrize("optimizer", ["CMA", "DE", "OnePlusOne", "PSO"])
def test_nevergrad_other_seed_gives_other_points(optimizer):
    assert not np.array_equal(run(optimizer, seed=1), run(optimizer, seed=2))


def test_nevergrad_seed_may_exceed_32_bits():
    assert not np.array_equal(run("DE", seed=2**40, num=3), run("DE", seed=2**40 + 1, num=3))


def test_nevergrad_options_reach_the_optimizer():
    np.testing.assert_array_equal(run("UnitNelderMead", num=3, step=0.25)[1:], 0.25 * np.eye(4)[:2])
    assert not np.array_equal(run("UnitNelderMead", adaptive=True), run("UnitNelderMead", adaptive=False))
    assert not np.array_equal(run("DE", crossover="twopoints"), run("DE", crossover="dimension"))


def test_nevergrad_converged_optimizer_asks_none():
    search = NevergradSearch(Space(("a", "b", "c")), optimizer="SQP", seed=0, budget=40)
    asked = 0
    while (point := search.ask()) is not None and asked < 400:
        asked += 1
        search.tell(point, loss=1.0)
    search.close()
    assert 0 < asked <= 40


@pytest.mark.parametrize("optimizer", ["NelderMead", "Cobyla", "Carola2"])
def test_nevergrad_close_stops_worker_threads(optimizer):
    before = set(threading.enumerate())
    search = NevergradSearch(Space(("a", "b", "c")), optimizer=optimizer, seed=0, budget=10)
    search.tell(search.ask(), loss=1.0)
    workers = set(threading.enumerate()) - before
    search.close()
    for worker in workers:
        worker.join(timeout=10)
    assert workers
    assert not any(worker.is_alive() for worker in workers)


def test_nevergrad_process_ends_after_failed_search():
    program = (
        "from dfwe.search.optimizers.nevergrad import NevergradSearch\n"
        "from dfwe.search.space import Space\n"
        "search = NevergradSearch(Space(tuple('abc')), optimizer='NelderMead', seed=0, budget=10)\n"
        "try:\n"
        "    search.tell(search.ask(), loss=1.0)\n"
        "    search.ask()\n"
        "    raise RuntimeError('half way')\n"
        "finally:\n"
        "    search.close()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(dfwe.__file__).parents[1])}
    command = [sys.executable, "-W", "ignore", "-c", program]
    ended = subprocess.run(command, env=environment, timeout=60, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "half way" in ended.stderr


def test_nevergrad_unknown_optimizer_suggests_names():
    with pytest.raises(SearchError, match=r"no optimizer named 'neldermaed'.*did you mean NelderMead, UnitNelderMead"):
        NevergradSearch(Space(("a", "b", "c")), optimizer="neldermaed", seed=0, budget=10)


def test_nevergrad_unknown_option_lists_options():
    with pytest.raises(SearchError, match=r"'UnitNelderMead' has no option stepp .* it has step, adaptive"):
        NevergradSearch(Space(("a", "b", "c")), optimizer="UnitNelderMead", seed=0, budget=10, stepp=1.0)
    with pytest.raises(SearchError, match=r"'NGOpt' has no option step .* it has none"):
        NevergradSearch(Space(("a", "b", "c")), optimizer="NGOpt", seed=0, budget=10, step=1.0)


def test_nevergrad_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cma", None)
    search = NevergradSearch(Space(("a", "b", "c")), optimizer="CMA", seed=0, budget=10)
    with pytest.raises(SearchError, match=r"optimizer 'CMA' failed: ModuleNotFoundError.*cma"):
        search.ask()


def test_nevergrad_refused_option_names_optimizer():
    with pytest.raises(SearchError, match=r"optimizer 'DE' with .*nonsense.* failed: .*merge.search.optimizer"):
        NevergradSearch(Space(("a", "b", "c")), optimizer="DE", seed=0, budget=10, crossover="nonsense")


@pytest.mark.parametrize("optimizer", ["CMA", "DE", "TwoPointsDE", "PSO"])
def test_nevergrad_batch_is_told_in_any_order(optimizer):
    search = NevergradSearch(Space(("a", "b", "c")), optimizer=optimizer, seed=0, budget=40, batch_size=4)
    points = [search.ask() for _ in range(4)]
    assert len({tuple(point) for point in points}) == 4
    for point in reversed(points):
        search.tell(point, loss=loss(point))
    assert not any(np.array_equal(search.ask(), point) for point in points)


@pytest.mark.parametrize("optimizer", ["UnitNelderMead", "NelderMead", "Cobyla"])
def test_nevergrad_sequential_optimizer_refuses_batches(optimizer):
    with pytest.raises(
        SearchError, match=rf"batch_size must be at most 1, not 4: nevergrad's optimizer '{optimizer}' learns"
    ):
        NevergradSearch(Space(("a", "b", "c")), optimizer=optimizer, seed=0, budget=40, batch_size=4)
