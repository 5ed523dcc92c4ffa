from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from dfwe.records import Evaluation, Trial
from dfwe.search.space import Space

FOLDER = Path(__file__).parents[2] / "conf" / "merge" / "search"
EXPERTS = [
    Trial(0, "expert", Space(tuple("abcde")).vertex(name), Evaluation(0.5, {}, ("yes",), np.ones((1, 2))))
    for name in "abcde"
]
FILES = sorted(FOLDER.glob("*.yaml"))


def made(name, **changes):
    config = OmegaConf.merge(OmegaConf.load(FOLDER / f"{name}.yaml"), changes)
    return instantiate(config, _partial_=True)(space=Space(tuple("abcde")), seed=0)


def test_configs_exist_for_each_search():
    assert {path.stem for path in FILES} >= {
        "nelder_mead",
        "nelder_mead_nevergrad",
        "cma",
        "nevergrad",
        "random",
        "grid",
        "greedy",
        "gaussian_process",
    }


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_configs_make_searches_of_at_most_forty(name):
    search = made(name)
    search.initialize(EXPERTS)
    point = search.ask()
    search.tell(point, loss=0.0)
    search.close()
    assert search.budget == {"grid": 36, "greedy": 5}.get(name, 40)  # these two know what they need
    assert search.batch_size == 1
    assert point.shape == (5,)
    assert np.isfinite(point).all()


def test_configs_accept_optimizer_budget_and_step():
    assert made("nevergrad", optimizer="DE", budget=9).budget == 9
    search = made("nelder_mead", step=0.5)
    search.tell(search.ask(), loss=0.0)
    np.testing.assert_array_equal(search.ask(), [0.5, 0, 0, 0, 0])


@pytest.mark.parametrize("name", ["cma", "nevergrad", "random", "grid"])
def test_configs_of_populations_take_a_batch_size(name):
    assert made(name, batch_size=4).batch_size == 4
