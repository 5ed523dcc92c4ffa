from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from dfwe.search.space import Space

FOLDER = Path(__file__).parents[2] / "conf" / "merge" / "search"
FILES = sorted(FOLDER.glob("*.yaml"))


def made(name, **changes):
    config = OmegaConf.merge(OmegaConf.load(FOLDER / f"{name}.yaml"), changes)
    return instantiate(config, _partial_=True)(space=Space(tuple("abcde")), seed=0)


def test_there_is_a_config_for_each_search():
    assert {path.stem for path in FILES} >= {
        "nelder_mead",
        "nelder_mead_nevergrad",
        "cma",
        "nevergrad",
        "random",
    }


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_every_config_makes_a_search_of_forty_evaluations(name):
    search = made(name)
    point = search.ask()
    search.tell(point, loss=0.0)
    search.close()
    assert search.budget == 40
    assert point.shape == (5,)
    assert np.isfinite(point).all()


def test_optimizer_budget_and_step_are_the_users_to_change():
    assert made("nevergrad", optimizer="DE", budget=9).budget == 9
    search = made("nelder_mead", step=0.5)
    search.tell(search.ask(), loss=0.0)
    np.testing.assert_array_equal(search.ask(), [0.5, 0, 0, 0, 0])
