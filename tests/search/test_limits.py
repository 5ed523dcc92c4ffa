from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest

from dfwe.records import Coefficients, Evaluation, PartialEvaluation, PrunedTrial, Trial
from dfwe.search.base import SearchLimits
from dfwe.search.journal import Journal
from dfwe.search.loop import run_search
from dfwe.search.optimizers.sequence import Dirichlet
from dfwe.search.space import Space
from dfwe.search.trial_runner import TrialRunner

ABC = Space(("a", "b", "c"))


def scored(predictions):
    counts = np.array([[float(answer == "yes"), 1.0] for answer in predictions])
    return Evaluation(float(counts[:, 0].mean()), {}, tuple(predictions), counts)


def answers(coefficients):
    right = round(10 * coefficients.values[0])
    return scored(("yes",) * right + ("no",) * (10 - right))


def searched(limits, *, batch_size=1, race=None, journal=None, evaluate=answers):
    return run_search(
        Dirichlet(ABC, seed=0, budget=20, batch_size=batch_size),
        space=ABC,
        runner=TrialRunner(evaluate, journal, evaluate_pruned=race),
        initial_trials=[],
        budget=20,
        limits=limits,
    )


def trial(number, seconds):
    return Trial(number, "search", Coefficients(("a", "b"), (0.5, 0.5)), scored(("yes", "no")), seconds=seconds)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_limits_stop_at_the_dev_passes(caplog, batch_size):
    with caplog.at_level(logging.INFO):
        trials = searched(SearchLimits(dev_passes=6), batch_size=batch_size)
    assert len(trials) == 6
    assert "has reached its limit of 6 dev passes after 6 of 20 evaluations" in caplog.text
    assert "converged" not in caplog.text


def test_limits_never_skip_the_start():
    assert [each.kind for each in searched(SearchLimits(seconds=1e-12))] == ["uniform"]


def test_limits_none_spend_the_budget():
    assert len(searched(SearchLimits())) == len(searched(None)) == 20


def test_limits_count_pruned_trials_by_share():
    half = PrunedTrial(2, "search", Coefficients(("a",), (1.0,)), PartialEvaluation(0.1, ("no", None)))
    assert SearchLimits(dev_passes=2).find_reached([trial(1, 0.0), half]) is None
    assert (
        SearchLimits(dev_passes=2).find_reached([trial(1, 0.0), half, dataclasses.replace(half, number=3)])
        == "2 dev passes"
    )


def test_limits_with_pruning_allow_more_trials():
    def stops(coefficients, best):
        found = answers(coefficients)
        return found if found.score >= best.score else PartialEvaluation(found.score, ("no",) + (None,) * 9)

    assert len(searched(SearchLimits(dev_passes=6), race=stops)) > len(searched(SearchLimits(dev_passes=6)))


def test_limits_seconds_are_those_of_evaluations():
    assert SearchLimits(seconds=1.0).find_reached([trial(1, 0.5), trial(2, 0.4)]) is None
    assert SearchLimits(seconds=1.0).find_reached([trial(1, 0.5), trial(2, 0.5)]) == "1 seconds"


def test_limits_count_seconds_of_the_journal(tmp_path):
    searched(SearchLimits(dev_passes=5), journal=Journal(tmp_path, evaluate_predictions=scored))
    journal = Journal(tmp_path, evaluate_predictions=scored)
    spent = sum(each.seconds for each in journal.trials)
    again = searched(
        SearchLimits(seconds=spent), journal=journal, evaluate=lambda coefficients: pytest.fail("evaluated")
    )
    assert len(again) == 5
