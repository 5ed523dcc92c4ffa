"""Merges of models with heads as runs."""

from dfwe.report.heads import as_study
from dfwe.report.wandb.merges import merge_runs, table


def test_results_of_a_text_study_stay_as_they_are(results):
    assert as_study(results) is results


def test_a_merge_of_models_with_heads_has_its_means_as_scores_and_the_tasks_beside_them(of_heads, study_folder):
    (run,) = merge_runs(of_heads, folder=study_folder, described={"soup": {"rule": "Linear"}})
    assert run.summary == {
        "dev": 0.75,
        "test": 0.625,
        "delta": 0.125,
        "delta_low": -0.125,
        "delta_high": 0.375,
        "p": 0.5,
        "evaluations": 4,
        "seconds": 2.0,
        "test/SST": 0.5,
        "test/STS": 0.75,
        "delta/SST": 0.25,
        "delta/STS": 0.0,
        "alpha/a": 0.25,
        "alpha/b": 0.75,
    }
    assert [row.get("score") for row in run.history] == [0.5, 0.25, None, 0.75]
    assert run.config["rule"] == "Linear"


def test_its_group_is_the_tasks_that_count_all_tasks_and_the_model(of_heads, study_folder):
    (run,) = merge_runs(of_heads, folder=study_folder, described={})
    assert run.group == "SST, STS | SST, STS, SNLI | small"
    assert (run.config["target"], run.config["sources"]) == ("SST, STS", "SST, STS, SNLI")


def test_what_is_undefined_is_left_out_of_a_merge_and_empty_in_the_table(of_heads, study_folder):
    of_heads["rows"][1]["test"] = {"tasks": {"SST": 0.5, "STS": None}, "mean": None}
    del of_heads["rows"][1]["against_single"]
    (run,) = merge_runs(of_heads, folder=study_folder, described={})
    assert {"test", "delta", "test/STS"}.isdisjoint(run.summary)
    columns, rows = table(of_heads)
    assert [dict(zip(columns, row, strict=True))["test"] for row in rows] == [None, None]


def test_the_table_has_means_and_their_intervals(of_heads):
    columns, (_, row) = table(of_heads)
    found = dict(zip(columns, row, strict=True))
    assert (found["test"], found["low"], found["high"], found["delta"]) == (0.625, 0.25, 0.75, 0.125)
