"""What the dev examples that a search did not see make of what it found."""

import numpy as np
import pytest

from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.holdout import ExampleSubset, HoldoutSelection, MultiSubsetSearch
from dfwe.search.selection import Argmax, SelectionContext
from dfwe.search.trial_runner import ExtraTrials, TrialRunner

NAMES = ("a", "b")
FIRST = np.array([True] * 4 + [False] * 4)  # what the search sees of eight examples


def share(totals):
    return totals[..., 0] / totals[..., 1]


def answers(right):
    right = np.asarray(right, float)
    return Evaluation(float(right.mean()), {}, tuple("x" * len(right)), np.stack([right, np.ones_like(right)], axis=1))


def trial(number, first, right, *, kind="search"):
    return Trial(number, kind, Coefficients(NAMES, (first, 1 - first)), answers(right))


class Searches(MultiSubsetSearch):
    """A MultiSubsetSearch that says of given trials which search asked them."""

    def __init__(self, rows, *, own=None):
        self.subsets = [ExampleSubset(each, share) for each in rows]
        self.searches = [self] * len(rows)
        self._shown = own

    def trials_of(self, place, trials):
        return [each for each in trials if self._shown is None or each.number in self._shown[place]]


def choose(trials, *, rows=(FIRST,), own=None, evaluate=None, **others):
    def refuse(coefficients):
        raise AssertionError(f"nothing is to be evaluated, but {coefficients} was")

    pick = HoldoutSelection(Argmax(), search=Searches(rows, own=own))
    make = ExtraTrials(TrialRunner(evaluate or refuse), last=max(each.number for each in trials))
    return pick.choose(trials, context=SelectionContext(make.run, share, 0, **others)), pick.result


UNIFORM = trial(1, 0.5, [1, 0, 0, 0, 1, 1, 0, 0], kind="uniform")
LUCKY = trial(2, 0.9, [1, 1, 1, 1, 0, 0, 0, 0])  # where it was seen
SOUND = trial(3, 0.7, [1, 1, 0, 0, 1, 1, 1, 1])


def test_holdout_selects_on_seen_scores_on_unseen(caplog):
    chosen, found = choose([UNIFORM, LUCKY, SOUND])
    assert chosen is LUCKY
    assert (found.examples, found.score) == (4, 0.0)
    assert (found.start, found.expert) == (0.5, None)
    assert "scores 0.0000 on the 4 dev examples that the search did not see, the uniform merge 0.5000" in caplog.text


def test_holdout_merge_below_best_expert_warns(caplog):
    expert = trial(0, 1.0, [1, 1, 0, 0, 1, 1, 1, 0], kind="expert")
    _, found = choose([expert, UNIFORM, LUCKY])
    assert found.expert == 0.75
    assert "the best expert 0.7500" in caplog.text


def test_k_fold_averages_and_scores_each_fold_unseen():
    rows = [FIRST, ~FIRST]
    trials = [UNIFORM, LUCKY, trial(3, 0.3, [0, 1, 0, 0, 1, 1, 1, 1])]
    mean = answers([1] * 8)
    chosen, found = choose(trials, rows=rows, own=[{1, 2}, {1, 3}], evaluate=lambda c: mean)
    assert (chosen.kind, chosen.coefficients.values) == ("bagged", pytest.approx((0.6, 0.4)))
    assert (found.examples, found.score) == (8, 1 / 8)  # 0 of the last four, 1 of the first four
    assert found.start == 3 / 8


def test_k_fold_without_averages_is_most_frequent():
    rows = [np.arange(9) % 3 != fold for fold in range(3)]
    trials = [trial(n, first, [1] * 9, kind=kind) for n, first, kind in ((1, 0.5, "uniform"), (2, 0.9, "search"))]
    own = [{1}, {2}, {2}]
    chosen, _ = choose(trials, rows=rows, own=own, averages=False)
    assert chosen is trials[1]
