"""How often 95% intervals hold the truth, and how often tests cry wolf: simulated, seven labels, two of them rare."""

import numpy as np
import pytest
from scipy import stats

from dfwe.metrics.classification import F1, Accuracy
from dfwe.metrics.statistics import Resamples, interval, mcnemar, two_sided_p

LABELS = tuple("abcdefg")
PRIOR = np.array([0.47, 0.17, 0.12, 0.11, 0.08, 0.03, 0.02])
CELLS = [(gold, predicted) for gold in LABELS for predicted in LABELS]
SIMULATIONS, RESAMPLES = 600, 500


def joint(right):
    """Of gold and predicted label: a rare one is found less often, and taken for frequent ones."""
    rows = []
    for label, share in enumerate(PRIOR):
        found = right if share > 0.1 else right - 0.25
        others = np.where(np.arange(len(PRIOR)) == label, 0.0, PRIOR)
        row = (1 - found) * others / others.sum()
        row[label] = found
        rows.append(share * row)
    return np.concatenate(rows)


def coverage(metric, *, num_examples, right=0.7):
    """A resample of examples is a draw from the cells that they fall in."""
    generator = np.random.default_rng(0)
    rows = metric.counts([predicted for _, predicted in CELLS], references=[(gold,) for gold, _ in CELLS])
    truth, held = float(metric.value(joint(right) @ rows)), 0
    for _ in range(SIMULATIONS):
        cells = generator.multinomial(num_examples, joint(right))
        resampled = generator.multinomial(num_examples, cells / num_examples, size=RESAMPLES)
        low, high = interval(metric.value(resampled @ rows))
        held += low <= truth <= high
    return held / SIMULATIONS


@pytest.mark.parametrize("num_examples", [100, 250])
@pytest.mark.parametrize(
    "metric", [Accuracy(LABELS), F1(LABELS, "micro"), F1(LABELS, "weighted")], ids=lambda m: str(m)[:3]
)
def test_intervals_of_accuracy_micro_and_weighted_f1_hold_93_to_97_percent(metric, num_examples):
    assert 0.93 <= coverage(metric, num_examples=num_examples) <= 0.97


def test_intervals_of_macro_f1_hold_less_where_labels_are_rare_and_the_metric_names_these():
    metric = F1(LABELS, "macro")
    assert coverage(metric, num_examples=100) < 0.92
    gold = [label for label, share in zip(LABELS, PRIOR, strict=True) for _ in range(round(100 * share))]
    totals = metric.counts(gold, references=[(label,) for label in gold]).sum(axis=0)
    assert metric.rare_classes(totals) == ("e", "f", "g")
    assert metric.rare_classes(10 * totals) == ()
    assert coverage(metric, num_examples=1000) >= 0.93


def test_intervals_of_dialogues_that_are_drawn_whole_hold():
    generator, held = np.random.default_rng(0), {"dialogues": 0, "answers": 0}
    names = {"dialogues": tuple(str(place // 8) for place in range(480)), "answers": tuple(map(str, range(480)))}
    for seed in range(200):
        difficulty = generator.normal(size=(60, 1)) * np.sqrt(0.2)
        right = (difficulty + generator.normal(size=(60, 8)) * np.sqrt(0.8) > 0).astype(float).ravel()
        counts = np.stack([right, np.ones(480)], axis=1)
        for drawn, clusters in names.items():
            resamples = Resamples.draw(clusters, seed=seed)
            low, high = interval(resamples.scores(counts, score=lambda totals: totals[..., 0] / totals[..., 1]))
            held[drawn] += low <= 0.5 <= high
    assert 0.92 <= held["dialogues"] / 200 <= 0.97
    assert held["answers"] / 200 < 0.89


def test_mcnemar_is_scipys_binomial_test_of_the_answers_that_differ():
    generator = np.random.default_rng(0)
    for _ in range(20):
        first, second = generator.random((2, 80)) < 0.6
        one, other = int((first & ~second).sum()), int((second & ~first).sum())
        assert mcnemar(first, second) == pytest.approx(stats.binomtest(one, one + other, 0.5).pvalue)


def test_the_bootstraps_standard_error_of_a_mean_is_scipys():
    values = np.random.default_rng(0).random(60)
    rows = np.stack([values, np.ones(60)], axis=1)
    weights = np.random.default_rng(1).multinomial(60, np.full(60, 1 / 60), size=9999)
    ours = (weights @ rows)[:, 0] / 60
    theirs = stats.bootstrap((values,), np.mean, n_resamples=9999, method="percentile", rng=2)
    assert np.std(ours) == pytest.approx(theirs.standard_error, rel=0.03)
    assert interval(ours) == pytest.approx(tuple(theirs.confidence_interval), abs=0.004)


def test_equal_models_are_called_different_in_about_5_percent():
    # 1,000 pairs: a true rate of 5% gives 3.3 to 6.7% in all but 2% of simulations
    generator, claims = np.random.default_rng(0), 0
    for _ in range(1000):
        difference = (generator.random(200) < 0.6).astype(float) - (generator.random(200) < 0.6)
        counts = [(difference == value).sum() for value in (-1, 0, 1)]
        resampled = generator.multinomial(200, np.array(counts) / 200, size=RESAMPLES)
        claims += two_sided_p((resampled @ np.array([-1.0, 0.0, 1.0])) / 200) <= 0.05
    assert 0.03 <= claims / 1000 <= 0.07
