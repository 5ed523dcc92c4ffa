from __future__ import annotations

import numpy as np

from dfwe.search.optimizers.sequence import Dirichlet
from dfwe.search.space import Space, softmax


def draws(num, *, seed=0):
    search = Dirichlet(Space(("a", "b", "c")), seed=seed, budget=num)
    found = []
    for _ in range(num):
        point = search.ask()
        search.tell(point, loss=0.0)
        found.append(softmax(point))
    search.close()
    return np.array(found)


def test_dirichlet_draws_are_uniform_over_the_simplex():
    values = draws(4000)
    # Dirichlet(Space(("a",)), 1, 1): mean 1/3, variance 1/18 in each coefficient; the bounds are five standard errors.
    np.testing.assert_allclose(values.mean(axis=0), 1 / 3, atol=0.019)
    np.testing.assert_allclose(values.var(axis=0), 1 / 18, atol=0.006)


def test_dirichlet_draws_depend_on_the_seed_alone():
    np.testing.assert_array_equal(draws(20, seed=4), draws(20, seed=4))
    assert not np.array_equal(draws(20, seed=4), draws(20, seed=5))


def test_dirichlet_supports_pruning_unless_off():
    assert Dirichlet(Space(("a", "b", "c")), seed=0, budget=1).supports_pruning
    assert not Dirichlet(Space(("a", "b", "c")), seed=0, budget=1, pruning=False).supports_pruning


def test_dirichlet_batches_give_the_same_draws():
    space = Space(("a", "b", "c"))
    several = Dirichlet(space, seed=0, budget=8, batch_size=4)
    np.testing.assert_array_equal([softmax(several.ask()) for _ in range(4)], draws(4))
