from __future__ import annotations

import logging

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.journal import Journal
from dfwe.search.selection import (
    Argmax,
    Bagged,
    LastTrial,
    SelectionContext,
    WithinStandardErrors,
    argmax,
    best_shares,
    out_of_bag_loss,
)
from dfwe.search.trial_runner import ExtraTrials, TrialRunner

NAMES = ("a", "b")


def answers(right):
    """An evaluation with the given examples right (1) and wrong (0)."""
    counts = np.stack([np.array(right, float), np.ones(len(right))], axis=1)
    return Evaluation(float(np.mean(right)), {}, tuple(str(int(r)) for r in right), counts)


def share(totals):
    return totals[..., 0] / totals[..., 1]


def trial(number, first, right, *, kind="search"):
    return Trial(number, kind, Coefficients(NAMES, (first, 1 - first)), answers(right))


def resampled(num_examples, *, resamples, seed):
    draws = np.random.default_rng(seed).multinomial(num_examples, np.full(num_examples, 1 / num_examples), resamples)
    return draws.astype(float)


def bagged(trials, *, score=share, resamples, seed=0):
    """What the resamples choose, averaged."""
    weights = resampled(len(trials[0].evaluation.counts), resamples=resamples, seed=seed)
    shares = best_shares(trials, score=score, weights=weights)
    return Coefficients(NAMES, tuple((shares @ np.array([t.coefficients.values for t in trials])).tolist()))


def maker(trials, *, evaluate, **others):
    return ExtraTrials(TrialRunner(evaluate, **others), last=max((each.number for each in trials), default=0))


def choose(rule, trials, *, evaluate=None, journal=None, on_trial=None, **others):
    def refuse(coefficients):
        raise AssertionError(f"nothing is to be evaluated, but {coefficients} was")

    make = maker(trials, evaluate=evaluate or refuse, journal=journal, on_trial=on_trial)
    return rule.choose(trials, context=SelectionContext(make.run, share, 0, **others))


def test_argmax_returns_the_best_score():
    trials = [trial(1, 0.5, [1, 0, 0]), trial(2, 0.9, [1, 1, 0]), trial(3, 0.6, [0, 0, 1])]
    assert argmax(trials).number == 2
    assert choose(Argmax(), trials).number == 2


def test_last_trial_is_kept_whatever_it_scores():
    trials = [trial(1, 0.5, [1, 1, 1]), trial(2, 0.9, [0, 0, 0]), trial(0, 1.0, [1, 1, 0], kind="expert")]
    assert choose(LastTrial(), trials).number == 2


def test_argmax_breaks_ties_by_distance_then_order():
    right, wrong = [1, 1, 0], [0, 1, 0]
    trials = [trial(1, 0.5, wrong), trial(2, 0.9, right), trial(3, 0.7, right), trial(4, 0.3, right)]
    assert argmax(trials).number == 3
    assert argmax([trials[0], trials[3], trials[2]]).number == 4


@pytest.mark.parametrize(
    "rule", [Argmax(), Bagged(resamples=10, margin=0.01), WithinStandardErrors(resamples=10, standard_errors=1.0)]
)
def test_selection_without_trials_raises(rule):
    with pytest.raises(SearchError, match="there is no trial to choose from"):
        choose(rule, [])


def test_bagged_averages_the_winners():
    # Of two examples each candidate has one right. A resample draws the first twice (1/4: the first candidate
    # wins), the second twice (1/4: the other wins), or both (1/2: a tie, to the first, nearer to uniform).
    trials = [trial(1, 0.6, [1, 0]), trial(2, 0.0, [0, 1])]
    point = bagged(trials, resamples=20_000)
    # Five standard errors of the share: 5 * sqrt(3/16 / 20000) = 0.0153, times 0.6.
    assert point.values[0] == pytest.approx(0.75 * 0.6, abs=0.0092)
    assert sum(point.values) == pytest.approx(1.0)


def test_bagged_of_a_sure_winner_is_the_winner():
    trials = [trial(1, 0.123456789, [1] * 9), trial(2, 0.5, [0] * 9)]
    point = bagged(trials, resamples=7)
    assert point == trials[0].coefficients
    assert choose(Bagged(resamples=7, margin=0.01), trials) is trials[0]


def f1(totals):
    """From true positives, false positives and false negatives."""
    return 2 * totals[..., 0] / (2 * totals[..., 0] + totals[..., 1] + totals[..., 2])


def test_bagged_resamples_counts_of_any_metric():
    # F1 of the summed counts is 0.95 for the first candidate and 0.67 for the second; the mean of the
    # examples' own F1 would be 0.5 and 0.67 and choose the second.
    rows = {(0.9, 0.1): [[10, 0, 0], [0, 0, 1]] * 30, (0.5, 0.5): [[1, 0, 1]] * 60}
    trials = []
    for number, (values, counts) in enumerate(rows.items(), 1):
        table = np.array(counts, float)
        evaluation = Evaluation(float(f1(table.sum(axis=0))), {}, (), table)
        trials.append(Trial(number, "search", Coefficients(NAMES, values), evaluation))
    point = bagged(trials, score=f1, resamples=50)
    assert point.values == (0.9, 0.1)


RIVALS = [trial(1, 0.5, [1, 0] * 20, kind="uniform"), trial(40, 0.9, [0, 1] * 20)]


def test_bagged_point_is_evaluated_and_reported():
    heard = []
    chosen = choose(
        Bagged(resamples=50, margin=0.01), RIVALS, evaluate=lambda c: answers([1] * 40), on_trial=heard.append
    )
    assert (chosen.number, chosen.kind) == (41, "bagged")
    assert 0.5 < chosen.coefficients.values[0] < 0.9
    assert heard == [chosen]


def test_bagged_point_clearly_worse_gives_argmax(caplog):
    heard, wrong = [], answers([0] * 40)
    with caplog.at_level(logging.WARNING):
        chosen = choose(Bagged(resamples=50, margin=0.01), RIVALS, evaluate=lambda c: wrong, on_trial=heard.append)
    assert chosen is RIVALS[0]
    assert [trial.kind for trial in heard] == ["bagged"]
    assert "the bagged mixture scores 0.0000 on dev" in caplog.text


def test_out_of_bag_loss_uses_examples_left_out():
    # Of three examples the first candidate has one right, found the other two. The first is the best of every resample
    # that draws its example; what it leaves out of that it never has.
    trials = [trial(1, 0.5, [1, 0, 0], kind="uniform")]
    found = trial(2, 0.7, [0, 1, 1])
    weights = np.array([[3.0, 0, 0], [1, 1, 1], [1, 2, 0], [0, 1, 2]])
    # left out: the last two (0 - 1), nothing (no opinion), the last (0 - 1), the first (1 - 0)
    assert out_of_bag_loss(found, trials, score=share, weights=weights) == pytest.approx(-1 / 3)
    assert out_of_bag_loss(found, trials, score=share, weights=weights[1:2]) == 0.0


def test_bagged_point_within_luck_of_the_best_is_kept():
    # Each of ten candidates answers all but four examples of its own; the point has two more wrong than the best.
    trials = [trial(n, 0.05 * n, [int(m // 4 != n - 1) for m in range(40)]) for n in range(1, 11)]
    nearly = answers([0] * 5 + [1] * 35)
    chosen = choose(Bagged(resamples=200, margin=0.01), trials, evaluate=lambda c: nearly)
    assert chosen.kind == "bagged"
    assert chosen.evaluation.score < argmax(trials).evaluation.score


@pytest.mark.parametrize(("margin", "kind"), [(0.009, "uniform"), (0.011, "bagged")])
def test_bagged_point_never_falls_below_the_margin(margin, kind):
    # The rivals win in turn, and each is worth 0.5 on whatever a resample leaves out; the point 0.01 less.
    rivals = [
        trial(1, 0.5, [0.5 + 1e-6, 0.5 - 1e-6] * 20, kind="uniform"),
        trial(2, 0.9, [0.5 - 1e-6, 0.5 + 1e-6] * 20),
    ]
    chosen = choose(Bagged(resamples=50, margin=margin), rivals, evaluate=lambda c: answers([0.49] * 40))
    assert chosen.kind == kind


def test_bagged_keeps_the_best_expert_if_mixtures_fail():
    # Two experts a barrier apart: each mixture is worse, and the mean of what resamples choose is one of them.
    experts = [trial(0, 1.0, [1] * 28 + [0] * 12, kind="expert"), trial(0, 0.0, [0] * 12 + [1] * 28, kind="expert")]
    mixtures = [trial(1, 0.5, [1, 0] * 20, kind="uniform"), trial(2, 0.8, [1] * 22 + [0] * 18)]
    between = answers([0, 1] * 20)
    chosen = choose(Bagged(resamples=200, margin=0.01), [*experts, *mixtures], evaluate=lambda c: between)
    assert chosen.kind == "expert"


def test_bagged_resumes_from_the_journal(tmp_path):
    def journal():
        return Journal(tmp_path, evaluate_predictions=lambda texts: answers([int(text) for text in texts]))

    first = choose(Bagged(resamples=50, margin=0.01), RIVALS, evaluate=lambda c: answers([1] * 40), journal=journal())
    heard = []
    again = choose(Bagged(resamples=50, margin=0.01), RIVALS, journal=journal(), on_trial=heard.append)
    assert (again.number, again.kind, again.coefficients) == (first.number, first.kind, first.coefficients)
    assert heard == [again]


def test_bagged_does_not_average_experts():
    lucky = trial(0, 1.0, [1] * 22 + [0] * 18, kind="expert")
    alone = choose(Bagged(resamples=50, margin=0.01), RIVALS, evaluate=lambda c: answers([1, 0] * 20))
    chosen = choose(Bagged(resamples=50, margin=0.01), [lucky, *RIVALS], evaluate=lambda c: answers([1, 0] * 20))
    assert chosen.coefficients == alone.coefficients


def test_bagged_choice_depends_on_the_seed_alone():
    points = [bagged(RIVALS, resamples=9, seed=seed) for seed in (3, 3, 5)]
    assert points[0] == points[1] != points[2]


def test_bagged_without_averages_is_most_frequent():
    # the first wins where example 0 is drawn at least as often as example 1, the second elsewhere
    trials = [trial(1, 0.6, [1, 0, 1]), trial(2, 0.0, [0, 1, 1]), trial(3, 0.5, [0, 0, 0], kind="uniform")]
    chosen = choose(Bagged(resamples=200, margin=0.01), trials, averages=False)
    assert chosen is trials[0]


def test_one_standard_error_is_nearest_to_the_start():
    # two answers lost and one won: 0.025 below, with a standard error of about 0.043
    best, near, worse = [1] * 30 + [0] * 10, [1] * 28 + [0, 0, 1] + [0] * 9, [1] * 20 + [0] * 20
    trials = [trial(1, 0.5, worse, kind="uniform"), trial(2, 0.9, best), trial(3, 0.6, near)]
    assert choose(WithinStandardErrors(resamples=200, standard_errors=1.0), trials).number == 3
    assert choose(WithinStandardErrors(resamples=200, standard_errors=1.0), [*trials[:2]]).number == 2


def test_more_standard_errors_reach_nearer_to_the_start():
    # ten answers lost: 0.25 below, with a standard error of about 0.068
    trials = [trial(1, 0.5, [1] * 20 + [0] * 20, kind="uniform"), trial(2, 0.9, [1] * 30 + [0] * 10)]
    for standard_errors, number in ((1.0, 2), (3.0, 2), (5.0, 1)):
        rule = WithinStandardErrors(resamples=200, standard_errors=standard_errors)
        assert choose(rule, trials).number == number
