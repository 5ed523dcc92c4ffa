"""A small study that was probed, and scores that tell models apart."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from dfwe.records import Evaluation


@pytest.fixture(scope="session")
def probed(ran, small, tmp_path_factory):
    """Results of the study that ran, with both diagnostics; its merge keeps the uniform mixture, never an expert."""
    from dfwe.run_study import run_study

    folder = tmp_path_factory.mktemp("probed")
    diagnostics = "diagnostics=[leave_one_out,interpolation]"
    run_study(small(ran[1], "merge.selection=uniform", diagnostics, "report=true"), folder=folder)
    return json.loads((folder / "results.json").read_text())


class Scales:
    """Scores a model by a fixed weighing of its weights: tiny models answer all alike, but no two weigh the same.

    Answers that were stored score `STORED`. `exact` has what each call said of approximations.
    """

    STORED = 0.25

    def __init__(self):
        self.exact = []

    def __call__(self, model, *, exact=False):
        self.exact.append(exact)
        return self._evaluation(self.weigh(torch.cat([p.detach().flatten() for p in model.parameters()])))

    def evaluate(self, predictions):
        return self._evaluation(self.STORED)

    def weigh(self, weights):
        return float(weights.double() @ torch.linspace(-1, 1, len(weights), dtype=torch.float64))

    def _evaluation(self, score):
        return Evaluation(score, {}, (), np.zeros((0, 0)))


@pytest.fixture
def scales(monkeypatch):
    """What scores models in this test."""
    from dfwe.families.base import ModelFamily

    made = Scales()
    monkeypatch.setattr(ModelFamily, "scorer", lambda family, target, *, split: made)
    return made


@pytest.fixture(scope="session")
def scattered():
    """A function from experts to such that are far apart."""

    def of(array):
        noise = torch.randn(array.weights.shape, generator=torch.Generator().manual_seed(0))
        return replace(array, weights=array.weights + noise)

    return of
