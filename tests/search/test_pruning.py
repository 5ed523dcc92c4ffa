"""Racing finds what a search finds without it, and says honestly what it stopped."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.families.pruning import Pruner
from dfwe.metrics.classification import F1
from dfwe.metrics.scorer import ScoreBound, Scorer
from dfwe.records import Coefficients, PartialEvaluation, PrunedTrial, Trial
from dfwe.search.journal import Journal
from dfwe.search.loop import run_search
from dfwe.search.optimizers.nevergrad import NevergradSearch
from dfwe.search.optimizers.sequence import Dirichlet
from dfwe.search.selection import argmax
from dfwe.search.space import Space
from dfwe.search.trial_runner import TrialRunner

NAMES = ("a", "b", "c")
LABELS = ("red", "green", "blue")
SCORER = Scorer({"micro": F1(LABELS, "micro"), "macro": F1(LABELS, "macro")})


class Surface:
    """A question's answer is the label with the highest logit, linear in the coefficients; answers come in batches."""

    def __init__(self, seed, *, num=30, batches=6):
        generator = np.random.default_rng(seed)
        self.logits = generator.normal(size=(num, len(LABELS), len(NAMES)))
        gold = generator.integers(len(LABELS), size=num)
        self.logits[np.arange(num), gold] += generator.uniform(0, 1.5, size=len(NAMES))
        self.references = [[LABELS[index]] for index in gold]
        self.groups = [group.tolist() for group in np.array_split(generator.permutation(num), batches)]
        self.answered = 0

    def answers(self, coefficients):
        return tuple(LABELS[i] for i in (self.logits @ coefficients.as_array()).argmax(axis=1))

    def scored(self, answers):
        return SCORER.evaluate(answers, references=self.references)

    def evaluate(self, coefficients):
        self.answered += len(self.references)
        return self.scored(self.answers(coefficients))

    def race(self, coefficients, best):
        against, found = Pruner(SCORER, references=self.references, best=best), {}
        answers = self.answers(coefficients)
        for place in against.order(self.groups, sizes=[1] * len(self.groups)):
            found |= {index: answers[index] for index in self.groups[place]}
            self.answered += len(self.groups[place])
            if against.is_lost(self.groups[place], [answers[index] for index in self.groups[place]]):
                break
        if len(found) < len(answers):
            return PartialEvaluation(against.bound, tuple(found.get(index) for index in range(len(answers))))
        return self.scored(answers)

    def bound(self, predictions):
        bound = ScoreBound(SCORER, references=self.references)
        kept = {index: answer for index, answer in enumerate(predictions) if answer is not None}
        bound.take(list(kept.values()), examples=list(kept))
        return bound.value


class Impatient(Surface):
    """Candidates are raced against a model that answers all right."""

    def race(self, coefficients, best):
        return super().race(coefficients, perfect(self)[0].evaluation)


def experts(surface):
    vertices = [Coefficients.vertex(NAMES, of=name) for name in NAMES]
    return [Trial(0, "expert", vertex, surface.scored(surface.answers(vertex))) for vertex in vertices]


def perfect(surface):
    answers = tuple(each[0] for each in surface.references)
    return [Trial(0, "expert", Coefficients.vertex(NAMES, of="a"), surface.scored(answers))]


def searched(surface, *, seed=0, race=True, known=experts, folder=None, search=None, on_trial=None, budget=25):
    return run_search(
        search or Dirichlet(Space(NAMES), seed=seed, budget=budget),
        space=Space(NAMES),
        runner=TrialRunner(
            surface.evaluate,
            Journal(folder, evaluate_predictions=surface.scored, bound_predictions=surface.bound) if folder else None,
            on_trial=on_trial,
            evaluate_pruned=surface.race if race else None,
        ),
        initial_trials=known(surface),
        budget=budget,
    )


def scores(trials):
    return [trial for trial in trials if isinstance(trial, Trial)]


def essence(trials):
    return [(type(t), t.number, t.kind, t.coefficients, told(t.evaluation), t.evaluation.predictions) for t in trials]


def told(evaluation):
    return evaluation.bound if isinstance(evaluation, PartialEvaluation) else evaluation.score


@pytest.mark.parametrize("known", [experts, lambda surface: []], ids=["experts", "none"])
def test_pruning_leaves_the_best_trial_unchanged(known):
    stopped = 0
    for seed in range(60):
        raced = searched(Surface(seed), seed=seed, known=known)
        whole = searched(Surface(seed), seed=seed, known=known, race=False)
        best, expected = argmax(scores(raced)), argmax(whole)
        assert (best.number, best.kind, best.coefficients) == (expected.number, expected.kind, expected.coefficients)
        assert best.evaluation.score == expected.evaluation.score
        assert best.evaluation.predictions == expected.evaluation.predictions
        assert [trial.coefficients for trial in raced] == [trial.coefficients for trial in whole]
        stopped += len(raced) - len(scores(raced))
    assert stopped > 400


def test_pruning_finds_the_best_mixture_below_an_expert():
    stopped = 0
    for seed in range(30):
        raced = searched(Surface(seed), seed=seed, known=perfect)
        whole = searched(Surface(seed), seed=seed, known=perfect, race=False)
        assert argmax(scores(raced)[1:]).number == argmax(whole[1:]).number
        stopped += len(raced) - len(scores(raced))
    assert stopped > 100


def test_pruned_bound_lies_between_score_and_best():
    for seed in range(20):
        surface, best = Surface(seed), 0.0
        for trial in searched(surface, seed=seed)[len(NAMES) :]:
            if isinstance(trial, Trial):
                best = max(best, trial.evaluation.score)
                continue
            score = surface.evaluate(trial.coefficients).score
            assert score <= trial.evaluation.bound < best
            assert 0 < trial.evaluation.num_answered < 30


def test_pruning_answers_fewer_questions():
    raced, whole = Surface(1), Surface(1)
    searched(raced, seed=1)
    searched(whole, seed=1, race=False)
    assert raced.answered < whole.answered


def test_pruning_never_stops_the_uniform_mixture():
    assert all(
        isinstance(trial, Trial) for seed in range(30) for trial in searched(Surface(seed)) if trial.kind == "uniform"
    )


@pytest.mark.parametrize(
    "search",
    [
        NevergradSearch(Space(("a", "b", "c")), optimizer="UnitNelderMead", seed=0, budget=25, step=1.0),
        Dirichlet(Space(("a", "b", "c")), seed=0, budget=25, pruning=False),
    ],
)
def test_pruning_is_off_for_other_searches(search):
    trials = searched(Surface(3), search=search)
    search.close()
    assert all(isinstance(trial, Trial) for trial in trials)


@pytest.mark.parametrize("done", [0, 1, 2, 9, 25])
def test_pruning_resumed_search_ends_the_same(tmp_path, done):
    whole = searched(Surface(5), folder=tmp_path / "whole")
    assert sum(isinstance(trial, PrunedTrial) for trial in whole) > 5
    (tmp_path / "part").mkdir()
    for name in ("trials.jsonl", "predictions.jsonl"):
        lines = (tmp_path / "whole" / name).read_text().splitlines(keepends=True)
        (tmp_path / "part" / name).write_text("".join(lines[:done]) + "".join(lines[done : done + 1])[:20])
    surface, heard = Surface(5), []
    resumed = searched(surface, folder=tmp_path / "part", on_trial=heard.append)
    assert essence(resumed) == essence(whole)
    assert essence(heard) == essence(whole[3:])
    assert (surface.answered == 0) == (done == 25)


def test_pruning_resumes_an_unpruned_journal(tmp_path):
    whole = searched(Surface(5), folder=tmp_path, race=False)
    assert essence(searched(Surface(5), folder=tmp_path)) == essence(whole)


def test_unpruned_search_refuses_a_pruned_journal(tmp_path):
    searched(Surface(5), folder=tmp_path)
    with pytest.raises(SearchError, match=r"its trial \d+ was stopped, but this search needs its score"):
        searched(Surface(5), folder=tmp_path, race=False)


def test_pruned_trial_that_could_win_is_refused():
    with pytest.raises(
        SearchError, match=r"trial 2 was stopped although it could score 0\.9.* before it scores 0\.[1-8]"
    ):
        searched(Impatient(5), budget=4)


def test_pruning_bounds_do_not_count_as_equal_scores(caplog):
    with caplog.at_level(logging.WARNING):
        trials = searched(Surface(5), budget=8)
    assert [type(trial) for trial in trials[4:]] == [PrunedTrial] * 7
    assert "cannot rank candidates" not in caplog.text
