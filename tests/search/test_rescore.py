import numpy as np

from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.selection import FullPrecisionRescorer

NAMES = ("a", "b")


def trial(number, share, score):
    return Trial(number, "search", Coefficients(NAMES, (share, 1 - share)), evaluation(score))


def evaluation(score):
    return Evaluation(score=score, metrics={}, predictions=(), counts=np.zeros((0, 0)))


def test_rescore_best_repeats_until_best_is_exact():
    exact = {1: 0.5, 2: 0.58, 3: 0.59}
    asked = []
    again = FullPrecisionRescorer(lambda each: asked.append(each.number) or evaluation(exact[each.number]))
    trials = again.rescore_best([trial(1, 0.1, 0.2), trial(2, 0.2, 0.6), trial(3, 0.3, 0.7)])
    assert asked == [3, 2]  # 3 falls below 2's approximate score, then 2 falls below 3's exact one
    assert [each.evaluation.score for each in trials] == [0.2, 0.58, 0.59]
    assert [each.number for each in trials] == [1, 2, 3]


def test_rescore_evaluates_each_trial_once():
    asked = []
    again = FullPrecisionRescorer(lambda each: asked.append(each.number) or evaluation(0.4))
    (only,) = again.rescore_best([trial(1, 0.5, 0.3)])
    assert again.rescore(only) is only
    assert asked == [1]
