import pytest

from dfwe.metrics.by_task import binned_errors, mean_if_defined, scores_by_task


def test_score_of_a_task_is_the_mean_of_its_metrics():
    scores = scores_by_task({"SST/acc": 0.5, "STS/pearson": 0.8, "STS/other": 0.6})
    assert scores == {"SST": 0.5, "STS": pytest.approx(0.7)}


def test_undefined_metric_leaves_task_and_mean_undefined():
    scores = scores_by_task({"SST/acc": 0.5, "STS/pearson": None})
    assert scores == {"SST": 0.5, "STS": None}
    assert mean_if_defined(list(scores.values())) is None
    assert mean_if_defined([0.5, 0.7]) == pytest.approx(0.6)


def test_binned_errors_include_the_end_of_the_last_bin():
    bins = binned_errors([1.0, 2.0, 4.0, 5.0], gold=[0.0, 1.0, 4.5, 5.0], edges=[0.0, 1.0, 4.0, 5.0])
    assert [(each["low"], each["n"], each["squared_error"]) for each in bins] == [
        (0, 1, 1.0),
        (1, 1, 1.0),
        (4, 2, 0.125),
    ]


def test_binned_errors_of_an_empty_bin_are_undefined():
    assert binned_errors([1.0], gold=[0.0], edges=[0.0, 1.0, 2.0])[1]["squared_error"] is None
