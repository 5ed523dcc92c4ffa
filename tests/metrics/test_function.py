"""A user's own function as a metric."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from dfwe.errors import ConfigurationError, MetricError
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.function import own_function
from dfwe.metrics.scorer import MeanOfScorers, Scorer
from dfwe.metrics.statistics import delta, with_interval
from dfwe.records import Coefficients, ExampleRows, Trial
from dfwe.search.holdout import ExampleSubset

SOURCE = """
def overlap(predictions, references):
    assert isinstance(predictions, list) and isinstance(references[0], list)
    return sum(p == r[0] for p, r in zip(predictions, references)) / len(predictions)

def errors(predictions, references):
    return 1 - overlap(predictions, references)

def raises(predictions, references):
    return 1 / 0

def nan(predictions, references):
    return float("nan")

def text(predictions, references):
    return "good"

def constant(predictions, references):
    return 0.5 if len(set(predictions)) > 1 else float("nan")

number = 3
"""
PREDICTIONS, REFERENCES = ["red", "green", "red", "red"], [["red"], ["green"], ["green"], ["red"]]


@pytest.fixture
def named(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    return lambda name: f"{file}:{name}"


@pytest.fixture
def scorer(named):
    return Scorer({"mine": own_function(named("overlap"))})


def test_the_function_is_called_on_all_answers(scorer):
    evaluation = scorer.evaluate(PREDICTIONS, references=REFERENCES)
    assert evaluation.score == 0.75
    assert evaluation.metrics == {"mine": 0.75}
    assert isinstance(evaluation.counts, ExampleRows)


def test_intervals_are_those_of_an_equal_metric_of_sums(scorer):
    ours = scorer.evaluate(PREDICTIONS * 5, references=REFERENCES * 5)
    accuracy = Scorer({"acc": Accuracy(("red", "green"))})
    same = accuracy.evaluate(PREDICTIONS * 5, references=REFERENCES * 5)
    pairs = ((ours, scorer), (same, accuracy))
    interval = with_interval(ours, scorer=scorer, seed=0)["interval"]
    assert interval == pytest.approx(with_interval(same, scorer=accuracy, seed=0)["interval"])
    clusters = tuple(str(number // 2) for number in range(20))
    dialogues = [with_interval(replace(of, clusters=clusters), scorer=by, seed=0) for of, by in pairs]
    assert dialogues[0]["interval"] == pytest.approx(dialogues[1]["interval"])
    assert dialogues[0]["interval"] != interval
    worse = scorer.evaluate(["red"] * 20, references=REFERENCES * 5)
    difference = delta(ours, baseline=worse, scorer=scorer, seed=0)
    assert difference["delta"] == pytest.approx(0.25)
    assert difference["p_by"] == "bootstrap"


def test_a_resample_is_scored_once(scorer, monkeypatch):
    evaluation, calls = scorer.evaluate(PREDICTIONS, references=REFERENCES), []
    function = scorer.functions[0].function
    monkeypatch.setattr(function, "call", lambda *pair: calls.append(pair) or 0.5)
    with_interval(evaluation, scorer=scorer, seed=0)
    delta(evaluation, baseline=evaluation, scorer=scorer, seed=0)
    assert len(calls) == 1000


def test_it_joins_other_metrics(named):
    both = Scorer({"mine": own_function(named("overlap")), "acc": Accuracy(("red", "green"))})
    evaluation = both.evaluate(PREDICTIONS, references=REFERENCES)
    assert evaluation.metrics == {"mine": 0.75, "acc": 0.75}
    weights = np.array([[1.0, 1.0, 2.0, 0.0], [4.0, 0.0, 0.0, 0.0]])
    assert both.score(weights @ evaluation.counts).tolist() == [0.5, 1.0]


def test_lower_can_be_better(named):
    scorer = Scorer({"wrong": own_function(named("errors"), higher_is_better=False)})
    assert scorer.evaluate(PREDICTIONS, references=REFERENCES).score == -0.25


def test_a_holdout_scores_its_own_examples(scorer):
    evaluation = scorer.evaluate(PREDICTIONS, references=REFERENCES)
    trial = Trial(1, "search", Coefficients.uniform(("a", "b")), evaluation)
    subset = ExampleSubset(np.array([True, True, True, False]), scorer.score)
    assert subset.restrict(trial).evaluation.score == pytest.approx(2 / 3)
    rest = subset.complement.counts(trial).sum(axis=0)
    assert scorer.score(rest + subset.counts(trial).sum(axis=0)) == 0.75


def test_examples_alone_are_compared_with_references(scorer):
    counts = scorer.evaluate(PREDICTIONS, references=REFERENCES).counts
    assert scorer.example_scores(counts).tolist() == [1, 1, 0, 1]


def test_it_is_pickled_by_its_name(scorer):
    evaluation = scorer.evaluate(PREDICTIONS, references=REFERENCES)
    again, rows = pickle.loads(pickle.dumps((scorer, evaluation.counts)))
    assert again.score(rows.sum(axis=0)) == 0.75


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", "raised ZeroDivisionError: division by zero"),
        ("nan", "returned nan for 4 examples: return a finite number"),
        ("text", "returned a str: return one number"),
        ("constant", "returned nan"),
    ],
)
def test_wrong_functions_show_on_the_gold_answers(named, name, message):
    with pytest.raises(MetricError, match=message):
        own_function(named(name)).check(REFERENCES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine", "must be module:function or file.py:function"),
        ("no_such_module_here:f", "cannot be imported: ModuleNotFoundError"),
        ("no_such_file.py:f", "there is no file no_such_file.py"),
        ("math:no_such", "math has no function no_such"),
        ("math.pi", "math has no function pi"),
    ],
)
def test_names_that_lead_nowhere_are_refused(name, message):
    with pytest.raises(ConfigurationError, match=message):
        own_function(name)


def test_a_mean_of_tasks_refuses_it(scorer):
    with pytest.raises(MetricError, match="in a study of one target"):
        MeanOfScorers({"a": scorer})
