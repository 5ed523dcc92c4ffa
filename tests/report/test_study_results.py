"""Both kinds of results are read into one form."""

import pytest

from dfwe.errors import DataError
from dfwe.report.study_results import as_study, read_results


def test_one_task_names_the_headline_and_its_reference(results):
    study = as_study(results)
    assert (study.target, study.sources, study.headline_merge) == ("mood", ("taste", "smell"), "found")
    assert (study.reference, study.tasks) == ("the baseline", ())
    assert [row["name"] for row in study.compared()] == ["found"]  # the uniform merge has no score
    assert study.row("found")["reference_score"] == 0.5


def test_without_a_headline_the_last_searched_merge_leads(results):
    assert as_study(results | {"headline": {}}).leading_row()["name"] == "found"


def test_several_tasks_have_their_mean_as_score(of_heads):
    study = as_study(of_heads)
    row = study.row("soup")
    assert (row["dev"]["score"], row["test"]["score"], row["test"]["interval"]) == (0.75, 0.625, [0.25, 0.75])
    assert (row["delta"], row["p"], row["reference_score"]) == (0.125, 0.5, 0.5)
    assert row["differences"]["SST"]["delta"] == 0.25
    assert (study.target, study.tasks, study.reference) == ("SST, STS", ("SST", "STS"), "the single-task models")


def test_several_tasks_without_a_recommendation_recommend_nothing(of_heads):
    assert as_study(of_heads).recommended == {}


def test_merges_of_some_candidates_are_not_compared(of_heads):
    of_heads["models"][1]["of"] = ["a", "b"]
    study = as_study(of_heads | {"candidates": ["a", "b", "c"], "ablation": {"soup": "Soup 1 and 2"}})
    assert study.compared() == []


@pytest.mark.parametrize("version", [1, 3, 5, None])
def test_another_format_is_an_error(results, version):
    with pytest.raises(DataError, match=f"has format {version}, and this version reads 4"):
        read_results(results | {"format": version})


def test_a_missing_part_is_an_error():
    with pytest.raises(DataError, match="lacks headline, models, target"):
        read_results({"format": 4})
