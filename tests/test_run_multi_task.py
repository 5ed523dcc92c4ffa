"""A multitask study from its configuration to its folder."""

import json

import pytest

from dfwe.errors import ConfigurationError, MergeError, SearchError
from dfwe.report.sweep.report import report_sweep
from dfwe.report.wandb.publish import merge_runs
from dfwe.results.document import study_results
from dfwe.run_study import run_study
from dfwe.studies.listed import plan_listed

SINGLES = ["single_sst", "single_quora", "single_sts"]
MODELS = ["round_robin", "surgery", "surgery_smart", "surgery_snli"]
MERGES = ["uniform", "greedy", "fisher", "nelder_mead", "single_uniform", "single_fisher"]


def results(folder):
    found = json.loads((folder / "results.json").read_text())
    return {key: value for key, value in found.items() if key != "seconds"}


def test_the_results_hold_every_row_of_both_tables_with_each_task_s_score(ran_heads):
    found = results(ran_heads[0])
    pairs = ["fisher_1_2", "fisher_1_3", "fisher_2_3"]
    assert [row["name"] for row in found["models"]] == [*SINGLES, *MODELS, *MERGES, *pairs]
    assert list(found["ablation"]) == [*pairs, "fisher"]
    for row in found["models"]:
        assert list(row["test"]["tasks"]) == ["SST", "QDPD", "STS"]
    assert [row["kind"] for row in found["models"][:4]] == ["single"] * 3 + ["model"]


def test_a_sweep_of_it_alone_says_where_its_tables_are(ran_heads, capsys):
    report_sweep(ran_heads[0])
    assert capsys.readouterr().err.startswith("nothing to compare: `dfwe report markdown FOLDER`")


def test_the_uniform_soup_has_equal_coefficients_and_fisher_notes_what_it_does_not_know(ran_heads):
    rows = {row["name"]: row for row in results(ran_heads[0])["models"]}
    assert set(rows["uniform"]["coefficients"].values()) == {1 / 3}
    # the inference head answers to no task that counts
    assert "heads.toy_inference.network.output.bias" in rows["fisher"]["notes"]["without_fisher"]["tensors"]


def test_an_exported_recommended_model_is_in_best(ran_heads, monkeypatch):
    monkeypatch.setattr("dfwe.results.document.recommend", lambda rows, **options: {"folder": options["folder"]})
    study = plan_listed(ran_heads[1]).resolve()
    for exported in (True, False):
        recommended = study_results(study, seconds={}, exported=exported)["recommended"]
        assert recommended["folder"] == ("best" if exported else None)


def test_the_same_study_again_is_found_in_the_store(ran_heads, tmp_path, monkeypatch):
    monkeypatch.setattr("dfwe.stages.train.fit_expert", lambda *args, **kwargs: pytest.fail("it trains again"))
    run_study(ran_heads[1], folder=tmp_path)
    assert results(tmp_path) == results(ran_heads[0])


def test_the_folder_has_the_trials_of_every_merge_which_w_and_b_gets_as_runs(ran_heads):
    found = results(ran_heads[0])
    runs = {run.name: run for run in merge_runs(found, folder=ran_heads[0], described={})}
    assert list(runs) == [row["name"] for row in found["models"] if row["kind"] == "merge"]
    for row in found["models"]:
        if row["kind"] == "merge":
            assert len(runs[row["name"]].history) == row["evaluations"]
    assert {"alpha/surgery", "score", "trial"} <= set(runs["nelder_mead"].history[0])
    assert len({run.run_id for run in runs.values()}) == len(runs)
    assert {run.group.split(" | ")[0] for run in runs.values()} == {"SST, QDPD, STS"}


def test_models_of_another_head_are_not_merged(small_heads, tmp_path):
    config = small_heads(
        tmp_path,
        "multitask.candidates=[perceptron,cosine]",
        "+multitask.merges.uniform={title: soup, merge: uniform}",
        experiment="paraphrase_cosine",
    )
    with pytest.raises(MergeError, match="perceptron and cosine have another head for toy_paraphrase"):
        plan_listed(config)


def test_models_that_never_trained_a_head_are_merged_only_where_that_is_meant(heads_tables, tmp_path):
    for candidates in ("pareto", "[surgery,surgery_smart]"):
        few = f"multitask.candidates={candidates}", "multitask.merges.single_uniform.untrained_heads=false"
        with pytest.raises(MergeError, match="single_sst never trained its head for QDPD, STS"):
            plan_listed(heads_tables(tmp_path, *few))


def test_a_budget_too_small_for_named_candidates_is_refused(heads_tables, tmp_path):
    merge = "+multitask.merges.grid={merge: linear, search: grid, budget: 3}"
    with pytest.raises(SearchError, match="over 3 values takes 4 evaluations, more than"):
        plan_listed(heads_tables(tmp_path, merge))


def test_diagnostics_are_of_the_last_merge_not_of_the_ablation(heads_tables, tmp_path):
    study = plan_listed(heads_tables(tmp_path, "diagnostics=[leave_one_out]")).resolve()
    assert [planned.merge.name for planned in study.diagnostics] == ["single_fisher"]


def test_a_merge_without_title_has_its_name(heads_tables, tmp_path):
    plain = "+multitask.merges.soup={merge: uniform}"
    study = plan_listed(heads_tables(tmp_path, plain, "multitask.ablation=soup")).resolve()
    titles = {name: title for name, title in study.listing.titles.items() if name.startswith("soup")}
    pairs = {f"soup_{a}_{b}": f"soup w/ Model {a} and {b}" for a, b in ((1, 2), (1, 3), (2, 3))}
    assert titles == {"soup": "soup all models", **pairs}


def test_the_order_of_candidates_changes_no_search(heads_tables, tmp_path):
    orders = ("surgery,surgery_smart,surgery_snli", "surgery_snli,surgery,surgery_smart")
    studies = [plan_listed(heads_tables(tmp_path, f"multitask.candidates=[{order}]")).resolve() for order in orders]
    searches = [
        [list(each.experts) for each in study.models.values() if each.kind == "merge" and len(each.experts) == 3]
        for study in studies
    ]
    assert searches[0] == searches[1] != []


def test_the_cosine_changes_nothing_but_the_paraphrase_head(small_heads, tmp_path):
    study = plan_listed(small_heads(tmp_path, experiment="paraphrase_cosine"))
    heads = [stage.family.spec()["heads"] for stage in study.models.values()]
    assert [task for task in heads[0] if heads[0][task] != heads[1][task]] == ["toy_paraphrase"]


def test_the_clamp_study_has_errors_by_gold_similarity(small_heads, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    run_study(small_heads(tmp_path / "store", experiment="similarity_clamp"), folder=folder)
    rows = results(folder)["models"]
    assert [row["name"] for row in rows] == ["identity", "relu", "clamp_09", "clamp_08"]
    for row in rows:
        assert sum(each["n"] for each in row["errors_by_gold"]) == 12


def test_errors_by_gold_are_of_a_scored_task(heads_tables, tmp_path):
    asked = ("multitask.score=[SST,QDPD]", "multitask.bins={column: STS, edges: [0, 1]}")
    with pytest.raises(ConfigurationError, match=r"multitask\.bins\.column must be one of multitask\.score="):
        plan_listed(heads_tables(tmp_path, *asked))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("multitask.columns.SST=sst", "multitask.columns has 'sst' for SST, which is not among sources="),
        ("multitask.bins={column: MNLI, edges: [0, 1]}", "multitask.bins.column names 'MNLI', which is none of"),
        (
            "multitask.bins={column: SST, edges: [0, 1]}",
            "multitask.bins.column must be a task whose answers are numbers",
        ),
        ("multitask.score=[SST,MNLI]", "multitask.score names 'MNLI', which is none of multitask.columns"),
        ("+multitask.models.surgery.surgry=null", "multitask.models.surgery has 'surgry', which no model has"),
        ("multitask.models.surgery_snli.start=mnli", "start is 'mnli', which is no model before it"),
        ("+multitask.merges.greedy.of=soup", "multitask.merges.greedy.of is 'soup'"),
        ("multitask.sets.single=[single_mnli]", "multitask.sets.single has 'single_mnli'"),
        ("multitask.ablation=fishr", "multitask.ablation is 'fishr'"),
        ("multitask.candidates=[surgery,soup]", "multitask.candidates has 'soup', .*round_robin"),
        ("sources.toy_inference.head=null", "toy_inference' has no head"),
        (
            "+multitask.merges.soup={merge: uniform, set: {lora: factors}}",
            "multitask.merges.soup: lora=factors needs LoRA experts",
        ),
    ],
)
def test_what_a_study_does_not_have_is_an_error_before_training(heads_tables, tmp_path, override, message):
    with pytest.raises(ConfigurationError, match=message):
        plan_listed(heads_tables(tmp_path, override))


def test_a_user_s_own_schedule_is_checked_when_data_are_made(heads_tables, tmp_path):
    study = plan_listed(heads_tables(tmp_path, "+multitask.models.surgery.schedule=turns"))
    family, recipe = study.models["surgery"].family, study.models["surgery"].recipe
    with pytest.raises(ConfigurationError, match="turns"):
        family.training_data(recipe, seed=0)
