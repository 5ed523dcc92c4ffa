"""Every row over targets and seeds: tables on the terminal, in Markdown, CSV and JSON."""

import csv
import json

import pytest

from dfwe.errors import DataError
from dfwe.report.command import main
from dfwe.report.html.compare_page import write_comparison
from dfwe.report.sweep.intervals import Difference, MeanDifference
from dfwe.report.sweep.report import read_sweep
from dfwe.report.sweep.rows_table import rows_table
from dfwe.report.tables import MISSING

PERSONALITY = {"target": "personality_detection", "short": "personality"}


def table(*folders):
    return {row.cells[0].text: cells(row) for row in rows_of(*folders).rows}


def rows_of(*folders):
    return rows_table(read_sweep(*folders).rows)


def cells(row):
    return [f"{cell.text} {cell.small}".strip() for cell in row.cells[1:]]


@pytest.fixture
def four(study):
    """Two targets with two seeds each; the merge gains 10 and 20 points on one, and loses 5 on the other."""
    merges = [({}, 0, 0.5), ({}, 1, 0.6), (PERSONALITY, 0, 0.35), (PERSONALITY, 1, 0.35)]
    return [
        study(**target, seed=seed, nelder_mead=test, same_compute=0.45, other=0.42) for target, seed, test in merges
    ]


def test_rows_have_means_differences_optimism_and_cost(four, folder_of):
    rows = table(folder_of(*four))
    assert list(rows) == ["nelder_mead", "longer baseline", "best expert by dev", "baseline (target alone)"]
    assert rows["nelder_mead"] == [
        *("35.0 ± 0.0", "55.0 ± 7.1", "45.0"),
        *("+5.0 (-122.1 to +132.1)", "1 of 2"),  # 12.706 * 10 points, the error of 15 and -5 points
        *("+0.0 (-127.1 to +127.1)", "1 of 2"),
        *("–", "+5.0", "60 s", "4"),
    ]
    assert rows["baseline (target alone)"][2:7] == ["40.0", "–", "–", "-5.0 (-5.0 to -5.0)", "0 of 2"]


def test_the_merge_that_was_asked_for_leads_each_row(four, folder_of):
    table = rows_of(folder_of(*four))
    place = [column.heading for column in table.columns].index("lead of\nnelder_mead")
    leads = {row.cells[0].text: row.cells[place].text for row in table.rows}
    assert leads == {
        "nelder_mead": "–",
        "longer baseline": "+0.0",
        "best expert by dev": "+3.0",
        "baseline (target alone)": "+5.0",
    }


def test_a_lead_over_seeds_has_the_errors_that_runs_tested(study, folder_of):
    studies = [study(seed=seed, ensemble=0.45) for seed in (0, 1)]
    tested = {"name": "ensemble", "delta": 0.05, "delta_standard_error": 0.02, "delta_interval": [0.01, 0.09]}
    for results in studies:
        results["headline"]["not_dearer"] = [tested]
    lead = read_sweep(folder_of(*studies)).rows[0].mean_difference("ensemble")
    assert lead == MeanDifference.of({"x": [Difference(0.5 - 0.45, 0.02)] * 2})
    assert lead.ends[0] < 0.02


def test_cost_is_a_multiple_of_the_baselines(study, folder_of):
    studies = [study(seed=seed) for seed in (0, 1)]
    for number, results in enumerate(studies):
        for model in results["models"]:
            model["cost"] = {"seconds": 1.0, "times_baseline": 1.0}
        results["models"][-1]["cost"] |= {"times_baseline": 4.0 + number, "models": 3}
    rows = table(folder_of(*studies))
    assert (rows["nelder_mead"][-3], rows["baseline (target alone)"][-3]) == ("4.5 3 models", "1.0")


def test_the_merge_stands_by_study_beside_what_it_must_beat(study, folder_of, capsys):
    studies = [study(**PERSONALITY, seed=1), study(seed=1, nelder_mead=0.6), study(seed=0)]
    for results in studies:
        results["connectedness"] = {"uniform_minus_baseline": -0.01}
        merge = results["models"][-1]
        merge["median_barrier"] = 0.02
        merge["against"] = {"best_expert": {"name": "other", "delta": 0.03, "delta_interval": [0.01, 0.05]}}
        merge["test"]["interval"] = [0.4, 0.7]
    folder = folder_of(*studies)
    assert main(["sweep", str(folder), "--format", "markdown"]) == 0
    said = capsys.readouterr().out
    first = said.index("| personality, 1 |")
    assert said.index("| meld, 0 |") > first
    assert "| meld, 1 | 60.0 (40.0 to 70.0) | +20.0 (+18.0 to +22.0) |" in said
    assert "| +3.0 (+1.0 to +5.0) | +2.0 | -1.0 |" in said
    assert not any(table.id.startswith("studies") for table in read_sweep(folder_of(studies[0], name="one")).tables)


def test_an_ensemble_has_as_many_models_as_its_studies_say(study, folder_of):
    studies = [study(seed=seed) for seed in (0, 1)]
    for number, results in enumerate(studies):
        for model in results["models"]:
            model["cost"] = {"seconds": 1.0, "times_baseline": 2.0, "models": 1 + 2 * number}
    assert table(folder_of(*studies))["nelder_mead"][-3] == "2.0 1 to 3 models"


def test_rows_of_several_folders_are_one_study(four, folder_of):
    first, second = folder_of(*four[:2], name="monday"), folder_of(*four[2:], name="tuesday")
    assert table(first, second) == table(folder_of(*four))


def test_a_repeated_study_counts_once(four, folder_of, study):
    again = study(**PERSONALITY, seed=1, nelder_mead=0.55, same_compute=0.45, other=0.42)
    assert table(folder_of(*four), folder_of(again, name="again"))["nelder_mead"][0] == "45.0 ± 14.1"


def test_other_test_instances_cannot_be_combined(four, folder_of, study):
    other = study(seed=2)
    other["n"]["test"] = 80
    with pytest.raises(DataError, match="has other data in .* of 2 sets in all"):
        read_sweep(folder_of(*four), folder_of(other, name="other"))


def test_one_folder_has_one_test_set_a_study(four, folder_of, study):
    other = study(command="python data.generator.seed=1")
    other["n"]["test"] = 80
    assert len(read_sweep(folder_of(*four, other)).rows) > 0
    other["command"] = "python data.root=elsewhere"
    with pytest.raises(DataError, match="has other data in .* of 2 sets in all"):
        read_sweep(folder_of(*four, other, name="mixed"))


def test_seeds_of_one_folder_have_one_test_set(study, folder_of):
    studies = [study(seed=seed) for seed in (0, 1)]
    studies[1]["n"]["test"] = 80
    with pytest.raises(DataError, match="has other data in .* of 2 sets in all"):
        read_sweep(folder_of(*studies))


def test_seeds_with_other_sources_are_no_repetitions(study, folder_of):
    studies = [study(seed=seed) for seed in (0, 1)]
    studies[1]["sources"] = ["c"]
    assert not read_sweep(folder_of(*studies, name="given")).rows
    for results in studies:
        results["source_selection"] = {"by": ["transfer"]}
    assert read_sweep(folder_of(*studies, name="selected")).rows


def test_unlabelled_texts_are_counted_where_studies_read_as_many(study, folder_of):
    studies = [study(seed=seed, distilled=0.45) for seed in (0, 1)]
    for results, num in zip(studies, (1200, 40), strict=True):
        results["models"][-1]["unlabelled"] = num
    assert "distilled ensemble" in table(folder_of(*studies, name="other"))
    studies[1]["models"][-1]["unlabelled"] = 1200
    assert "distilled ensemble (+1,200 unlabelled)" in table(folder_of(*studies, name="same"))


def test_an_undefined_dev_score_is_not_0(four, folder_of):
    for results in four:
        results["models"][1]["dev"]["score"] = None
    found = rows_of(folder_of(*four))
    place = [column.key for column in found.columns].index("optimism")
    assert {row.cells[0].text: row.cells[place].text for row in found.rows}["nelder_mead"] == MISSING.text


def test_no_other_model_is_asked_for_if_the_merge_is_undefined(study, folder_of):
    results = study(uniform=0.45)
    results |= {"headline": {}, "recommended": {"name": "uniform"}}
    assert not any(row.is_headline for row in read_sweep(folder_of(results)).rows)


def test_one_target_has_intervals_over_seeds_and_instances(four, folder_of):
    mean = read_sweep(folder_of(*four[:2])).rows[0].mean_difference("baseline")
    assert mean == MeanDifference.of({"x": [Difference(0.5 - 0.4, 0.01), Difference(0.6 - 0.4, 0.01)]})
    assert mean.ends[1] > 0.5


def test_one_study_has_no_such_table(four, folder_of):
    assert rows_of(folder_of(four[0])) is None


def test_sets_of_sources_have_no_such_table(four, folder_of):
    other = {**four[0], "sources": ["a", "c"]}
    assert read_sweep(folder_of(four[0], other)).rows == []


def test_settings_stand_beside_their_rows(study, folder_of):
    folder = folder_of(*(study(command=f"python data.shots={shots}") for shots in (8, 16)))
    names = [(row.cells[0].text, row.cells[0].small) for row in rows_of(folder).rows]
    assert names[:2] == [("nelder_mead", "data.shots=8"), ("baseline (target alone)", "data.shots=8")]


def test_places_of_data_are_no_settings(study, folder_of):
    folder = folder_of(*(study(seed=seed, command=f"python data.root=/tmp/{seed}") for seed in (0, 1)))
    assert [row.cells[0].small for row in rows_of(folder).rows] == ["", ""]


def test_what_is_written_is_no_setting(study, folder_of):
    folder = folder_of(study(command="python export_experts=true max_shard_size=1GB"), study(seed=1))
    assert rows_of(folder).rows[0].cells[-1].text == "2"


def test_rows_of_fewer_targets_come_last_without_a_mean(four, folder_of, study):
    four[0] = study(nelder_mead=0.5, same_compute=0.45, other=0.42, ensemble=0.9)
    rows = table(folder_of(*four))
    assert list(rows)[-1] == "ensemble of answers"
    assert rows["ensemble of answers"][:3] == ["–", "90.0", "–"]


def test_the_best_expert_costs_what_all_experts_do(study, folder_of):
    studies = [study(seed=seed, other=0.42, uniform=0.43) for seed in (0, 1)]
    for results in studies:
        results["models"][-1]["cost"] = {"seconds": 300.0}
    rows = table(folder_of(*studies))
    assert (rows["best expert by dev"][-2], rows["uniform merge"][-2]) == ("5.0 min", "5.0 min")
    assert (
        table(folder_of(*(study(seed=seed, other=0.42) for seed in (0, 1)), name="b"))["best expert by dev"][-2] == "–"
    )


def test_the_targets_own_expert_is_a_row(study, folder_of):
    rows = table(folder_of(*(study(seed=seed, meld=0.44, other=0.42) for seed in (0, 1))))
    assert rows["target alone, both trainings"][0].startswith("44.0")


def test_csv_has_fractions_and_ends(four, folder_of, capsys):
    assert main(["sweep", str(folder_of(*four)), "--format", "csv"]) == 0
    first = next(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert first["row"] == "nelder_mead"
    assert (float(first["test/meld"]), float(first["delta/baseline"])) == pytest.approx((0.55, 0.05))
    assert float(first["delta/baseline_low"]) == pytest.approx(0.05 - 12.7062 * 0.1, abs=1e-4)


def test_json_has_every_table(four, folder_of, capsys):
    assert main(["sweep", str(folder_of(*four)), "--format", "json"]) == 0
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert [table["id"] for table in tables] == ["rows", "table2-0", "means"]
    assert tables[0]["rows"][0]["above/baseline"] == 1


def test_markdown_has_tables_and_pictures(four, folder_of, capsys):
    folder = folder_of(*four)
    assert main(["sweep", str(folder), "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    assert "| nelder_mead | 35.0 ± 0.0 | 55.0 ± 7.1 | 45.0 |" in text
    assert "![nelder_mead: above 0 on 1 of 2 targets less the baseline" in text
    assert (folder / "pictures" / "gains_nelder_mead.png").stat().st_size > 1000


def test_the_page_has_rows_and_their_pictures(four, folder_of):
    page = write_comparison([folder_of(*four)], out=None).read_text()
    assert 'id="rows"' in page
    assert "above 0 on 1 of 2 targets less the baseline" in page


def of_tasks(seed, soup):
    def scores(sst, sts):
        known = None not in (sst, sts)
        return {"score": (sst + sts) / 2 if known else None, "tasks": {"SST": sst, "STS": sts}}

    models = [
        {"name": "only_sst", "kind": "single", "dev": scores(0.5, None), "test": scores(0.5, None)},
        {"name": "only_sts", "kind": "single", "dev": scores(None, 0.7), "test": scores(None, 0.7)},
        {"name": "soup", "title": "Soup", "kind": "merge", "dev": scores(soup, 0.8), "test": scores(soup, 0.8)},
    ]
    models[-1] |= {"stage": f"soup-{seed}", "of": [], "delta": (soup + 0.8) / 2 - 0.6, "differences": {"SST": {}}}
    for model in models:
        model["cost"] = {"seconds": 5.0}
    return {
        "format": 4,
        "kind": "multitask",
        "columns": {"SST": "sst", "STS": "sts"},
        "n": {"SST": {}, "STS": {}},
        "seed": seed,
        "models": models,
        "single": {"SST": "only_sst", "STS": "only_sts"},
    }


def test_several_tasks_have_a_column_each(folder_of):
    rows = table(folder_of(of_tasks(0, 0.5), of_tasks(1, 0.6)))
    assert rows["Soup"][:4] == ["55.0 ± 7.1", "80.0 ± 0.0", "67.5", "+7.5"]
    assert rows["single-task models"][:3] == ["50.0 ± 0.0", "70.0 ± 0.0", "60.0"]
    assert rows["single-task models"][-2] == "10 s"


def test_leads_of_several_tasks_have_the_intervals_of_runs(folder_of):
    studies = [of_tasks(seed, 0.5) for seed in (0, 1)]
    tested = {"name": "plain", "delta": 0.1, "delta_standard_error": 0.02, "delta_interval": [0.06, 0.14]}
    for results in studies:
        plain = {**results["models"][-1], "name": "plain", "title": "Plain", "stage": f"plain-{results['seed']}"}
        results["models"].append(plain)
        results["recommended"] = {"name": "soup", "not_dearer": [tested]}
    (soup,) = (row for row in read_sweep(folder_of(*studies)).rows if row.name == "soup")
    assert soup.mean_difference("plain").ends is not None
