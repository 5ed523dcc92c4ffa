"""No answers to what is left may give more than the bound says, for every metric and every task as configured."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from dfwe.config.schema import SCORED
from dfwe.config.tasks import load_task
from dfwe.errors import MetricError
from dfwe.metrics.classification import F1, Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.multilabel import MultilabelF1
from dfwe.metrics.scorer import ScoreBound, Scorer
from dfwe.metrics.span import ExactMatch, TokenF1Macro, TokenF1Micro

TASKS = sorted(path.stem for path in (Path(__file__).parents[2] / "conf" / "task").glob("*.yaml"))
LABELS = ("red", "green", "blue")
NAMES = {"k:likes": "likes", "k:age": "age", "k:engaged": "engaged", "k:none": "nothing known"}
# single words, texts that share some, one that normalises to nothing, and a phrase that says there is no answer
TEXTS = ("tea", "milk", "green tea", "tea with cold milk", "the", "cold green milk", "tea milk tea", "no answer here")


def spans(phrases=()):
    metrics = {metric.__name__: metric(phrases) for metric in (ExactMatch, TokenF1Macro, TokenF1Micro)}
    return Scorer(metrics | {"corrected": TokenF1Micro(phrases, best_reference=True)})


SCORERS = {
    "reference labels": Scorer({each: F1(LABELS, each) for each in ("micro", "macro", "weighted")}),
    "corrected labels": Scorer(
        {each: F1(LABELS, each, no_label_class=False) for each in ("micro", "macro", "weighted")}
    ),
    "accuracy": Scorer({"acc": Accuracy(LABELS)}),
    "codes": Scorer({"F1": MultilabelF1(NAMES, scored=(0, 1, 2), default="k:likes")}),
    "codes by words": Scorer({"F1": MultilabelF1(NAMES, scored=(1, 2), default="k:none", whole_words=True)}),
    "spans": spans(),
    "spans or none": spans(["no answer"]),
}
# Pearson's correlation has no bound; answers to what is only scored are likelihoods and values, not texts
SCORERS |= {
    task.short: task.scorer
    for task in map(load_task, TASKS)
    if "pearson" not in task.scorer.metrics and task.decode not in SCORED
}


def pools(scorer):
    """Gold references and predictions that the scorer's metrics take, as lists to draw from."""
    metric = next(iter(scorer.metrics.values()))
    if isinstance(metric, F1 | Accuracy):
        # few labels to draw from, so that some never occur, and answers that are none
        return [[label] for label in metric.labels[:3]], [*metric.labels[:4], "no label", ""]
    if isinstance(metric, MultilabelF1):
        codes = list(metric.names)
        gold = [[code] for code in codes] + [list(pair) for pair in itertools.pairwise(codes)]
        names = list(metric.names.values())
        return gold, [*names, *(" and ".join(pair) for pair in itertools.pairwise(names)), "a word", ""]
    pairs = [list(pair) for pair in itertools.permutations(TEXTS, 2)]
    return [[text] for text in TEXTS] + pairs, [*TEXTS, "tea tea tea tea milk", "juice", ""]


def drawn(scorer, generator, *, num):
    gold, answers = pools(scorer)
    references = [gold[i] for i in generator.integers(len(gold), size=num)]
    return references, [answers[i] for i in generator.integers(len(answers), size=num)]


@pytest.mark.parametrize("name", SCORERS)
def test_bound_of_any_prefix_is_not_below_the_score(name):
    scorer = SCORERS[name]
    for seed in range(60):
        generator = np.random.default_rng(seed)
        references, predictions = drawn(scorer, generator, num=int(generator.integers(1, 14)))
        score = scorer.evaluate(predictions, references=references).score
        bound, values = ScoreBound(scorer, references=references), []
        for part in np.array_split(generator.permutation(len(predictions)), 4):
            values.append(bound.value)
            if len(part):
                bound.take([predictions[i] for i in part], examples=part.tolist())
        assert min(values) >= score - 1e-12
        assert np.all(np.diff(values) < 1e-12)
        assert bound.value == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("name", SCORERS)
def test_best_counts_beat_any_row(name):
    scorer = SCORERS[name]
    gold, answers = pools(scorer)
    for seed in range(3):
        generator = np.random.default_rng(seed)
        references, predictions = drawn(scorer, generator, num=int(generator.integers(1, 6)))
        beside = scorer.counts(predictions, references=references).sum(axis=0)
        for alternatives in gold:
            rows = scorer.counts(answers, references=[alternatives] * len(answers))
            best = scorer.best_counts([alternatives])
            assert scorer.score(beside + best[0]) >= scorer.score(beside + rows).max() - 1e-12


@pytest.mark.parametrize("name", SCORERS)
def test_an_examples_row_does_not_depend_on_the_others(name):
    scorer = SCORERS[name]
    references, predictions = drawn(scorer, np.random.default_rng(0), num=9)
    alone = [scorer.counts([p], references=[r])[0] for p, r in zip(predictions, references, strict=True)]
    np.testing.assert_array_equal(alone, scorer.counts(predictions, references=references))
    np.testing.assert_array_equal(
        [scorer.best_counts([r])[0] for r in references], scorer.best_counts(references), strict=True
    )


def test_the_bound_of_right_and_wrong_answers_by_hand():
    bound = ScoreBound(Scorer({"acc": Accuracy(LABELS)}), references=[["red"], ["green"], ["blue"], ["red"]])
    assert bound.value == 1.0
    bound.take(["red", "red"], examples=[3, 1])
    assert bound.value == 0.75
    bound.take(["green"], examples=[0])
    assert bound.value == 0.5


def test_bound_macro_f1_drops_for_labels_never_gold():
    bound = ScoreBound(Scorer({"F1": F1(LABELS, "macro")}), references=[["red"], ["red"], ["green"]])
    bound.take(["blue"], examples=[0])
    # red 2/3, green 1, blue 0
    assert bound.value == pytest.approx(5 / 9)


def test_bound_allows_answers_better_than_gold():
    # against its last overlapping reference "green tea" has a word too many: the reference implementation's oddity
    scorer, references = Scorer({"F1": TokenF1Micro()}), [["green tea", "tea"], ["milk"]]
    gold = scorer.evaluate(["green tea", "juice"], references=references).score
    better = scorer.evaluate(["tea", "juice"], references=references).score
    assert gold < better
    bound = ScoreBound(scorer, references=references)
    bound.take(["juice"], examples=[1])
    assert bound.value >= better


def test_bound_counts_nested_names_separately():
    scorer = SCORERS["codes"]
    assert scorer.evaluate(["engaged"], references=[["k:engaged"]]).score == pytest.approx(2 / 3)
    assert ScoreBound(scorer, references=[["k:engaged"]]).value == 1.0


def test_losses_are_per_group():
    scorer, references = Scorer({"acc": Accuracy(LABELS)}), [["red"], ["green"], ["blue"], ["red"]]
    counts = scorer.evaluate(["red", "red", "red", "green"], references=references).counts
    losses = ScoreBound(scorer, references=references).losses(counts, groups=[[0], [1, 2], [3]])
    np.testing.assert_allclose(losses, [0.0, 0.5, 0.25])


def test_a_correlation_has_no_bound():
    scorer = Scorer({"acc": Accuracy(("1", "2")), "pearson": Pearson(unparsable=-1.0)})
    assert scorer.best_counts([["1"]]) is None
    assert load_task("sts").scorer.best_counts([["1"]]) is None
    with pytest.raises(MetricError, match="one of the metrics acc, pearson has no highest score"):
        ScoreBound(scorer, references=[["1"]])


def test_pearson_correct_number_may_lower_correlation():
    metric, references = Pearson(unparsable=-1.0), [["1"], ["2"], ["5"]]
    rows = metric.counts(["5", "1", "5"], references=references)
    worse = metric.counts(["5", "1", "9"], references=references)
    assert metric.value(rows.sum(axis=0)) < metric.value(worse.sum(axis=0))


def test_bound_unscorable_references_raise():
    with pytest.raises(MetricError, match="example 1 has the gold label 'pink'"):
        ScoreBound(Scorer({"acc": Accuracy(LABELS)}), references=[["pink"]])
    with pytest.raises(MetricError, match="example 2 has the gold label 'k:hates'"):
        ScoreBound(SCORERS["codes"], references=[["k:age"], ["k:hates"]])
