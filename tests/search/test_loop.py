from __future__ import annotations

import logging
import math

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.base import Search
from dfwe.search.journal import Journal
from dfwe.search.loop import run_search
from dfwe.search.optimizers.nevergrad import NevergradSearch
from dfwe.search.space import Range, Setting, Space
from dfwe.search.trial_runner import TrialRunner

NAMES = ("a", "b", "c")
BEST = np.array([0.7, 0.2, 0.1])


class Scripted(Search):
    """Asks the given points, the last one for ever (or nothing more), and remembers what it was told."""

    def __init__(self, points, *, ends=False):
        self.points, self.ends, self.told = list(points), ends, []

    @property
    def batch_size(self):
        return 1

    @property
    def budget(self):
        return len(self.points)

    @property
    def supports_pruning(self):
        return False

    def initialize(self, initial_trials):
        pass

    def ask(self):
        if self.ends and len(self.told) >= len(self.points):
            return None
        return np.array(self.points[min(len(self.told), len(self.points) - 1)], dtype=float)

    def tell(self, point, *, loss):
        self.told.append(loss)

    def close(self):
        pass


class Model:
    """Answers 50 questions, more of them rightly near `BEST`, and counts how often it is asked."""

    def __init__(self):
        self.calls = []

    def __call__(self, coefficients):
        self.calls.append(coefficients)
        right = round(50 * (1 - float(np.abs(coefficients.as_array() - BEST).sum()) / 2))
        return scored(("yes",) * right + ("no",) * (50 - right))


def scored(predictions):
    counts = np.array([[float(answer == "yes"), 1.0] for answer in predictions])
    return Evaluation(float(counts[:, 0].mean()), {}, tuple(predictions), counts)


def experts(model):
    vertices = [Coefficients.vertex(NAMES, of=name) for name in NAMES]
    return [Trial(0, "expert", vertex, model(vertex)) for vertex in vertices]


def searched(
    optimizer="UnitNelderMead", *, folder=None, budget=40, evaluate=None, known=(), seed=0, on_trial=None, batch_size=1
):
    search = NevergradSearch(
        Space(("a", "b", "c")), optimizer=optimizer, seed=seed, budget=budget, batch_size=batch_size
    )
    journal = Journal(folder, evaluate_predictions=scored) if folder else None
    trials = run_search(
        search,
        space=Space(NAMES),
        runner=TrialRunner(evaluate or Model(), journal, on_trial=on_trial),
        initial_trials=known,
        budget=budget,
    )
    search.close()
    return trials


def essence(trials):
    return [(t.number, t.kind, t.coefficients, t.evaluation.score, t.evaluation.predictions) for t in trials]


@pytest.mark.parametrize("optimizer", ["UnitNelderMead", "CMA", "DE", "OnePlusOne"])
def test_search_evaluates_exactly_the_budget(optimizer):
    model, known = Model(), experts(Model())
    trials = searched(optimizer, evaluate=model, known=known)
    assert len(model.calls) == len(set(model.calls)) == 40
    assert trials[:3] == tuple(known)
    assert [trial.kind for trial in trials] == ["expert"] * 3 + ["uniform"] + ["search"] * 39
    assert [trial.number for trial in trials[3:]] == list(range(1, 41))
    assert trials[3].coefficients == Coefficients.uniform(NAMES)


def test_search_is_told_the_negative_score():
    search, model = Scripted([[1, 0, 0], [2, 0, 0]]), Model()
    trials = run_search(search, space=Space(NAMES), runner=TrialRunner(model), initial_trials=[], budget=3)
    assert search.told == [-trial.evaluation.score for trial in trials[1:]]


def test_search_initial_trials_cost_nothing():
    model, known = Model(), experts(Model())
    search = Scripted([[0, 0, 0], [0, -1e9, -1e9], [1, 0, 0], [1, 0, 0], [0, 1, 0]])
    trials = run_search(search, space=Space(NAMES), runner=TrialRunner(model), initial_trials=known, budget=3)
    assert len(model.calls) == 3
    uniform, first = trials[3].evaluation.score, trials[4].evaluation.score
    assert search.told == [-uniform, -known[0].evaluation.score, -first, -first, -trials[5].evaluation.score]


def test_search_evaluates_vertices_that_are_not_experts():
    model, known, space = Model(), experts(Model()), Space(NAMES, vertices=False)
    search = Scripted([[0, -1e9, -1e9]])
    trials = run_search(search, space=space, runner=TrialRunner(model), initial_trials=known, budget=2)
    assert model.calls == [space.start, space.vertex("a")]
    assert [trial.kind for trial in trials] == ["expert"] * 3 + ["uniform", "search"]


def test_search_in_circles_stops_with_a_warning(caplog):
    search = Scripted([[1, 0, 0]])
    with caplog.at_level(logging.WARNING):
        trials = run_search(search, space=Space(NAMES), runner=TrialRunner(Model()), initial_trials=[], budget=5)
    assert len(trials) == 2
    assert len(search.told) == 50
    assert "stopped after 2 of 5 evaluations" in caplog.text


def test_search_without_points_ends_early(caplog):
    with caplog.at_level(logging.WARNING):
        search = Scripted([[1, 0, 0], [0, 1, 0]], ends=True)
        trials = run_search(search, space=Space(NAMES), runner=TrialRunner(Model()), initial_trials=[], budget=40)
    assert len(trials) == 3
    assert "stopped after 3 of 40 evaluations" in caplog.text


def test_search_of_one_expert_evaluates_nothing():
    model = Model()
    alone = Trial(0, "expert", Coefficients(("a",), (1.0,)), scored(("yes",)))
    search = NevergradSearch(Space(("a",)), optimizer="UnitNelderMead", seed=0, budget=5)
    trials = run_search(search, space=Space(("a",)), runner=TrialRunner(model), initial_trials=[alone], budget=5)
    assert trials == (alone,)
    assert model.calls == []


@pytest.mark.parametrize("optimizer", ["UnitNelderMead", "CMA", "DE", "NelderMead"])
@pytest.mark.parametrize("done", [1, 17, 40])
def test_search_resumed_ends_the_same(tmp_path, optimizer, done):
    whole = searched(optimizer, folder=tmp_path / "whole")
    for name in ("trials.jsonl", "predictions.jsonl"):
        lines = (tmp_path / "whole" / name).read_text().splitlines(keepends=True)
        (tmp_path / "part").mkdir(exist_ok=True)
        (tmp_path / "part" / name).write_text("".join(lines[:done]) + "".join(lines[done : done + 1])[:20])
    model, heard = Model(), []
    resumed = searched(optimizer, folder=tmp_path / "part", evaluate=model, on_trial=heard.append)
    assert essence(resumed) == essence(whole)
    assert essence(heard) == essence(whole)
    assert len(model.calls) == 40 - done


def test_search_refuses_a_foreign_journal(tmp_path):
    searched("CMA", folder=tmp_path, seed=1, budget=5)
    with pytest.raises(SearchError, match=r"the journal belongs to another search: its trial 2 is search at .*"):
        searched("CMA", folder=tmp_path, seed=2, budget=5)


def test_search_failure_keeps_earlier_trials(tmp_path):
    model = Model()

    def breaks(coefficients):
        if len(model.calls) == 4:
            raise KeyboardInterrupt
        return model(coefficients)

    with pytest.raises(KeyboardInterrupt):
        searched(folder=tmp_path, evaluate=breaks)
    assert len(Journal(tmp_path, evaluate_predictions=scored).trials) == 4


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_search_score_not_finite_raises(tmp_path, score):
    def nan(coefficients):
        return Evaluation(score, {}, ("yes",), np.ones((1, 2)))

    with pytest.raises(SearchError, match=rf"trial 1 \(uniform\) at {{'a': 0.33.*}} is {score}"):
        searched(folder=tmp_path, evaluate=nan)
    assert not (tmp_path / "trials.jsonl").exists()


def test_search_budget_below_one_raises():
    with pytest.raises(SearchError, match=r"at least 1 evaluation.*budget is 0"):
        run_search(Scripted([[1, 0, 0]]), space=Space(NAMES), runner=TrialRunner(Model()), initial_trials=[], budget=0)


def test_search_refuses_trials_of_other_experts():
    known = [Trial(0, "expert", Coefficients(("b", "a", "c"), (1.0, 0.0, 0.0)), scored(("yes",)))]
    with pytest.raises(SearchError, match=r"over \('a', 'b', 'c'\), but trial 0 .* \('b', 'a', 'c'\)"):
        run_search(
            Scripted([[1, 0, 0]]), space=Space(NAMES), runner=TrialRunner(Model()), initial_trials=known, budget=2
        )


def test_search_without_moves_warns(caplog):
    with caplog.at_level(logging.WARNING):
        searched("NelderMead")
    assert "no coefficient moved by more than" in caplog.text


def test_search_with_equal_scores_warns(caplog):
    with caplog.at_level(logging.WARNING):
        searched(evaluate=lambda coefficients: scored(("yes", "no")))
    assert "all 40 evaluated mixtures score 0.5000" in caplog.text
    assert "no coefficient moved" not in caplog.text


def test_search_with_progress_does_not_warn(caplog):
    with caplog.at_level(logging.WARNING):
        trials = searched()
    assert caplog.text == ""
    assert max(trial.evaluation.score for trial in trials) > trials[0].evaluation.score


@pytest.mark.parametrize("optimizer", ["CMA", "DE", "PSO", "RandomSearch"])
@pytest.mark.parametrize("done", [1, 18, 19, 40])
def test_search_in_batches_resumed_ends_the_same(tmp_path, optimizer, done):
    whole = searched(optimizer, folder=tmp_path / "whole", batch_size=4)
    (tmp_path / "part").mkdir()
    for name in ("trials.jsonl", "predictions.jsonl"):
        lines = (tmp_path / "whole" / name).read_text().splitlines(keepends=True)
        (tmp_path / "part" / name).write_text("".join(lines[:done]))
    model = Model()
    assert essence(searched(optimizer, folder=tmp_path / "part", evaluate=model, batch_size=4)) == essence(whole)
    assert len(model.calls) == 40 - done


def test_search_evaluates_a_batch_before_telling():
    events = []

    class Population(Scripted):
        batch_size = 3

        def ask(self):
            events.append("ask")
            return np.eye(3)[events.count("ask") % 3] * events.count("ask")

        def tell(self, point, *, loss):
            events.append("tell")

    def model(coefficients):
        events.append("evaluate")
        return scored(("yes", "no"))

    run_search(Population([]), space=Space(NAMES), runner=TrialRunner(model), initial_trials=[], budget=6)
    first, rest = ["ask"] * 3 + ["evaluate"] * 3 + ["tell"] * 3, ["ask"] * 2 + ["evaluate"] * 2 + ["tell"] * 2
    assert events == ["evaluate", *first, *rest]  # the start; three; of five evaluations two are left


RICH = Space(NAMES, ("low", "high"), Range(-0.5, 1.5), (Setting("scale", Range(0.0, 2.0), 1.0),))


@pytest.mark.parametrize("space", [RICH, Space(NAMES, ("low", "high")), Space(NAMES, box=Range(-0.5, 1.5))])
def test_search_checks_hold_in_every_space(caplog, space):
    tiny = Scripted([np.full(space.dimensions, 1e-4) * np.arange(space.dimensions)])
    with caplog.at_level(logging.WARNING):
        run_search(tiny, space=space, runner=TrialRunner(lambda each: scored(("yes",))), initial_trials=[], budget=2)
    assert "no coefficient moved by more than" in caplog.text
    with pytest.raises(SearchError, match=r"trial 1 \(uniform\) at {.*} is nan"):
        run_search(
            tiny,
            space=space,
            runner=TrialRunner(lambda each: Evaluation(math.nan, {}, ("yes",), np.ones((1, 2)))),
            initial_trials=[],
            budget=2,
        )


def test_search_that_moves_a_setting_does_not_warn(caplog):
    space = Space(NAMES, settings=(Setting("scale", Range(0.0, 2.0), 1.0),))
    with caplog.at_level(logging.WARNING):
        run_search(
            Scripted([[0, 0, 0, 1]]),
            space=space,
            runner=TrialRunner(lambda each: scored(("yes",))),
            initial_trials=[],
            budget=2,
        )
    assert "no coefficient moved" not in caplog.text
