"""Searches that see a part of dev each."""

import numpy as np
import pytest

from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.base import Search
from dfwe.search.holdout import ExampleSubset, MultiSubsetSearch
from dfwe.search.loop import run_search
from dfwe.search.optimizers.greedy import Greedy
from dfwe.search.optimizers.nevergrad import NevergradSearch
from dfwe.search.space import Space
from dfwe.search.trial_runner import TrialRunner

SPACE = Space(("a", "b", "c"))
HALVES = [np.arange(40) % 2 == 0, np.arange(40) % 2 == 1]


def share(totals):
    return totals[..., 0] / totals[..., 1]


def answers(right):
    right = np.asarray(right, float)
    return Evaluation(float(right.mean()), {}, tuple("x" * len(right)), np.stack([right, np.ones_like(right)], axis=1))


def nelder_mead(seed=0):
    return NevergradSearch(SPACE, optimizer="UnitNelderMead", seed=seed, budget=30, step=1.0, adaptive=False)


def partial(rows, *, make=nelder_mead):
    return MultiSubsetSearch([make() for _ in rows], subsets=[ExampleSubset(each, share) for each in rows], space=SPACE)


def surface(hidden):
    """Even examples are right near `a`; odd ones as `hidden` says of the coefficients."""

    def evaluate(coefficients):
        first = coefficients.values[0]
        even = np.linspace(0, 1, 20) < first
        return answers(np.stack([even, hidden(coefficients)], axis=1).reshape(-1))

    return evaluate


def asked(evaluate, rows):
    trials = run_search(partial(rows), space=SPACE, runner=TrialRunner(evaluate), initial_trials=(), budget=30)
    return [trial.coefficients for trial in trials]


def test_subset_search_ignores_unseen_examples():
    one = asked(surface(lambda c: np.zeros(20)), HALVES[:1])
    other = asked(surface(lambda c: np.full(20, c.values[1] > 0.4)), HALVES[:1])
    assert one == other
    assert one != asked(surface(lambda c: np.full(20, c.values[1] > 0.4)), [np.full(40, True)])


def test_subset_search_asks_as_on_the_subset_alone():
    evaluate = surface(lambda c: np.zeros(20))
    part = ExampleSubset(HALVES[0], share)

    def seen(coefficients):
        return part.restrict(Trial(1, "search", coefficients, evaluate(coefficients))).evaluation

    alone = run_search(nelder_mead(), space=SPACE, runner=TrialRunner(seen), initial_trials=(), budget=30)
    assert asked(evaluate, HALVES[:1]) == [trial.coefficients for trial in alone]


def test_subset_searches_take_turns_and_share_the_budget():
    search = partial(HALVES)
    trials = run_search(
        search,
        space=SPACE,
        runner=TrialRunner(surface(lambda c: np.full(20, c.values[1] > 0.3))),
        initial_trials=(),
        budget=30,
    )
    own = [{trial.number for trial in search.trials_of(place, trials)} for place in range(2)]
    assert len(trials) == 30
    assert own[0] | own[1] == set(range(1, 31))
    assert {1, 2, 3} <= own[0] & own[1]  # the start and the first simplex, evaluated once
    assert min(len(own[0]), len(own[1])) > 10


def test_greedy_soups_of_all_subsets_are_finished():
    search = partial(HALVES, make=lambda: Greedy(SPACE, seed=0, budget=40))
    evaluate = surface(lambda c: np.full(20, c.values[1] > 0.3))
    experts = [Trial(0, "expert", SPACE.vertex(name), evaluate(SPACE.vertex(name))) for name in SPACE.experts]
    run_search(search, space=SPACE, runner=TrialRunner(evaluate), initial_trials=experts, budget=search.budget)
    assert [each.ask() for each in search.searches] == [None, None]


class Scripted(Search):
    """Asks given points, then nothing; remembers what it is told."""

    budget, supports_pruning, batch_size = 30, True, 1

    def __init__(self, points):
        self.points, self.told, self.heard, self.begun, self.closed = list(points), [], [], [], False

    def initialize(self, initial_trials):
        self.begun = [(trial.kind, trial.evaluation.score) for trial in initial_trials]

    def ask(self):
        return np.array(self.points[0]) if self.points else None

    def tell(self, point, *, loss):
        self.told.append(-loss)
        self.points.pop(0)

    def observe(self, trial):
        self.heard.append((trial.evaluation.score, len(trial.evaluation.predictions)))

    def close(self):
        self.closed = True


def test_subset_searches_get_scores_of_their_subsets():
    searches = [Scripted([[1.0, 0, 0]]), Scripted([[1.0, 0, 0], [0, 1.0, 0]])]
    search = MultiSubsetSearch(searches, subsets=[ExampleSubset(each, share) for each in HALVES], space=SPACE)
    known = [Trial(0, "expert", SPACE.vertex("a"), answers([1, 0] * 20))]
    # even examples are all right, odd ones all wrong
    trials = run_search(
        search, space=SPACE, runner=TrialRunner(lambda c: answers([1, 0] * 20)), initial_trials=known, budget=9
    )
    assert len(trials) == 1 + 3  # the expert, the start, two points
    assert [each.begun for each in searches] == [
        [("expert", 1.0), ("uniform", 1.0)],
        [("expert", 0.0), ("uniform", 0.0)],
    ]
    assert [each.told for each in searches] == [[1.0], [0.0, 0.0]]
    assert [each.heard for each in searches] == [[(1.0, 20)], [(0.0, 20), (0.0, 20)]]
    search.close()
    assert all(each.closed for each in searches)


def test_subset_search_batch_has_a_point_of_each_search():
    search = partial(HALVES)
    search.initialize([])
    assert search.batch_size == 2
    assert [search.ask() is None for _ in range(3)] == [False, False, True]


def test_example_subset_restricts_a_trial():
    labels = np.arange(8.0).reshape(4, 2)
    whole = Evaluation(0.5, {}, tuple("abcd"), np.array([[1, 1], [0, 1], [1, 1], [0, 1.0]]), labels)
    trial = Trial(3, "search", Coefficients(("a",), (1.0,)), whole, seconds=2.0)
    part = ExampleSubset(np.array([True, False, True, False]), share)
    view = part.restrict(trial)
    assert (view.number, view.kind, view.seconds) == (3, "search", 2.0)
    assert (view.evaluation.score, view.evaluation.predictions) == (1.0, ("a", "c"))
    np.testing.assert_array_equal(view.evaluation.label_scores, labels[[0, 2]])
    assert part.complement.restrict(trial).evaluation.score == pytest.approx(0.0)
