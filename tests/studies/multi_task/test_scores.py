import pytest

from dfwe.studies.multi_task.scores import binned_errors, by_column, mean_of


def test_a_task_s_score_is_the_mean_of_its_metrics():
    assert by_column({"SST/acc": 0.5, "STS/pearson": 0.8, "STS/other": 0.6}) == {"SST": 0.5, "STS": pytest.approx(0.7)}


def test_what_is_undefined_leaves_its_task_and_the_mean_undefined():
    columns = by_column({"SST/acc": 0.5, "STS/pearson": None})
    assert columns == {"SST": 0.5, "STS": None}
    assert mean_of(columns) is None
    assert mean_of({"SST": 0.5, "STS": 0.7}) == pytest.approx(0.6)


def test_errors_are_squared_by_bins_of_the_gold_number_the_last_of_which_has_its_end():
    bins = binned_errors([1.0, 2.0, 4.0, 5.0], gold=[0.0, 1.0, 4.5, 5.0], edges=[0.0, 1.0, 4.0, 5.0])
    assert [(each["low"], each["n"], each["squared_error"]) for each in bins] == [
        (0, 1, 1.0),
        (1, 1, 1.0),
        (4, 2, 0.125),
    ]


def test_an_empty_bin_has_no_error():
    assert binned_errors([1.0], gold=[0.0], edges=[0.0, 1.0, 2.0])[1]["squared_error"] is None
