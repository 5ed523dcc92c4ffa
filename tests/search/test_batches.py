"""Candidates that are asked at once: the trials are the same wherever and in whatever order they are evaluated."""

import json

import numpy as np
import pytest

from dfwe.records import Evaluation, PartialEvaluation
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


def evaluate(coefficients):
    right = round(10 * coefficients.values[0])
    return scored(("yes",) * right + ("no",) * (10 - right))


def race(coefficients, best):
    found = evaluate(coefficients)
    if found.score >= best.score:
        return found
    return PartialEvaluation(best.score - 1e-6, (found.predictions[0],) + (None,) * 9)


def backwards(asked, best, alone):
    """All evaluated before the first is given, the last first."""
    found = {place: alone(asked[place], best) for place in reversed(range(len(asked)))}
    return iter([found[place] for place in range(len(asked))])


def searched(folder, *, batch_size=4, limits=None, **options):
    """The trials as the journal has them, seconds aside."""
    journal = Journal(folder, evaluate_predictions=scored)
    search = Dirichlet(ABC, seed=0, budget=20, batch_size=batch_size)
    run_search(
        search, space=ABC, runner=TrialRunner(evaluate, journal, **options), initial_trials=[], budget=20, limits=limits
    )
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines(folder)]


def lines(folder):
    return (folder / "trials.jsonl").read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    "options", [{}, {"evaluate_pruned": race}, {"limits": SearchLimits(dev_passes=7)}], ids=["plain", "race", "limits"]
)
def test_batches_journal_is_that_of_one_process(tmp_path, options):
    one_by_one = searched(tmp_path / "one", **options)
    assert searched(tmp_path / "all", evaluate_batch=backwards, **options) == one_by_one
    assert [trial["number"] for trial in one_by_one] == list(range(1, 1 + len(one_by_one)))
    assert len(one_by_one) == (7 if "limits" in options else 20)


def test_batches_are_pruned_against_the_best_before(tmp_path):
    against = []

    def watched(asked, best, alone):
        against.append(best and best.score)
        return backwards(asked, best, alone)

    made = searched(tmp_path, evaluate_batch=watched, evaluate_pruned=race)
    best = [max(trial["score"] or 0.0 for trial in made[: 1 + 4 * batch]) for batch in range(5)]
    assert against == [None, *best]  # the start is evaluated alone, and never raced


def test_batches_resume_in_the_middle(tmp_path):
    whole, told = searched(tmp_path / "whole"), []

    def watched(asked, best, alone):
        told.append(len(asked))
        return backwards(asked, best, alone)

    for name in ("trials.jsonl", "predictions.jsonl", "sums.txt"):
        first = (tmp_path / "whole" / name).read_text().splitlines(keepends=True)[:7]
        (tmp_path / "part").mkdir(exist_ok=True)
        (tmp_path / "part" / name).write_text("".join(first))
    assert searched(tmp_path / "part", evaluate_batch=watched) == whole
    assert told == [0, 0, 2, 4, 4, 3]  # the start and the first four are there, of the next four two
