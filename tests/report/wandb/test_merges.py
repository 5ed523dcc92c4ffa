"""Runs of merges as values."""

from dfwe.report.wandb.publish import group_of, merge_runs, table


def test_history_has_a_row_per_trial(results, study_folder):
    uniform, found = merge_runs(results, folder=study_folder, described={})
    assert [row.get("score") for row in found.history] == [0.5, 0.25, None, 0.75]
    assert [row["best"] for row in found.history] == [0.5, 0.5, 0.5, 0.75]
    assert found.history[2] == {
        "trial": 3,
        "bound": 0.375,
        "seconds": 0.5,
        "best": 0.5,
        "alpha/a": 0.125,
        "alpha/b": 0.875,
    }
    assert len(uniform.history) == 1


def test_summary_has_all_defined_numbers(results, study_folder):
    uniform, found = merge_runs(results, folder=study_folder, described={})
    assert found.summary == {
        "dev": 0.75,
        "test": 0.625,
        "test_low": 0.25,
        "test_high": 0.75,
        "delta": 0.125,
        "delta_low": -0.125,
        "delta_high": 0.375,
        "p": 0.5,
        "evaluations": 4,
        "seconds": 2.0,
        "delta_to/uniform": 0.0625,
        "alpha/a": 0.25,
        "alpha/b": 0.75,
    }
    assert not {"test", "delta"} & set(uniform.summary)


def test_merges_of_one_target_sources_and_model_are_one_group(results, study_folder):
    runs = merge_runs(results, folder=study_folder, described={"found": {"method": "Linear"}})
    assert {run.group for run in runs} == {"mood | taste, smell | small"}
    config = runs[1].config
    assert (config["target"], config["sources"], config["model"], config["seed"]) == (
        "mood",
        "taste, smell",
        "small",
        3,
    )
    assert (config["merge"], config["method"], config["alpha"]) == ("found", "Linear", "a: 0.25, b: 0.75")


def test_ids_depend_on_merge_and_stage(results, study_folder):
    def ids(found):
        return [run.run_id for run in merge_runs(found, folder=study_folder, described={})]

    first = ids(results)
    assert ids(results) == first
    assert len(set(first)) == 2
    results["models"][2]["stage"] = "merge-3"
    assert ids(results)[0] == first[0]
    assert ids(results)[1] != first[1]


def test_long_groups_are_cut_and_unique():
    groups = {group_of("mood", sources=["s" * 60, "t" * 60, end], model="parent small") for end in ("u", "v")}
    assert len(groups) == 2
    assert all(len(group) == 128 for group in groups)


def test_the_table_has_a_row_a_model(results):
    columns, rows = table(results)
    assert [row[0] for row in rows] == ["baseline (target alone)", "uniform merge", "found"]
    assert dict(zip(columns, rows[2], strict=True))["delta_high"] == 0.375
    assert all(len(row) == len(columns) for row in rows)


def test_a_study_without_merges_has_no_runs(results, study_folder):
    results["models"] = results["models"][:1]
    assert merge_runs(results, folder=study_folder, described={}) == ()


def test_summary_of_several_tasks_has_means_and_tasks(of_heads, study_folder):
    (run,) = merge_runs(of_heads, folder=study_folder, described={"soup": {"method": "Linear"}})
    assert run.summary == {
        "dev": 0.75,
        "test": 0.625,
        "test_low": 0.25,
        "test_high": 0.75,
        "delta": 0.125,
        "delta_low": -0.125,
        "delta_high": 0.375,
        "p": 0.5,
        "evaluations": 4,
        "seconds": 2.0,
        "dev/SST": 0.5,
        "dev/STS": 1.0,
        "test/SST": 0.5,
        "test/STS": 0.75,
        "delta/SST": 0.25,
        "delta/STS": 0.0,
        "alpha/a": 0.25,
        "alpha/b": 0.75,
    }
    assert [row.get("score") for row in run.history] == [0.5, 0.25, None, 0.75]
    assert run.config["method"] == "Linear"


def test_group_of_several_tasks_has_all_tasks(of_heads, study_folder):
    (run,) = merge_runs(of_heads, folder=study_folder, described={})
    assert run.group == "SST, STS | SST, STS, SNLI | small"
    assert (run.config["target"], run.config["sources"]) == ("SST, STS", "SST, STS, SNLI")


def test_undefined_scores_are_left_out(of_heads, study_folder):
    of_heads["models"][1]["test"] = {"tasks": {"SST": 0.5, "STS": None}, "score": None}
    for key in ("differences", "delta", "delta_standard_error", "delta_interval", "p"):
        of_heads["models"][1].pop(key)
    (run,) = merge_runs(of_heads, folder=study_folder, described={})
    assert {"test", "delta", "test/STS"}.isdisjoint(run.summary)
    assert "test" not in table(of_heads)[0]


def test_table_of_several_tasks_has_means_and_intervals(of_heads):
    columns, (_, row) = table(of_heads)
    found = dict(zip(columns, row, strict=True))
    assert (found["test"], found["test_low"], found["test_high"], found["delta"]) == (0.625, 0.25, 0.75, 0.125)
