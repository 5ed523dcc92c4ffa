"""A study from its configuration to its folder."""

import gc
import json
import os
import stat

import pytest
import torch
from omegaconf import OmegaConf
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from dfwe.errors import ConfigurationError, DataError, DfweError
from dfwe.execution.local import Executor, LocalExecutor
from dfwe.predict import load
from dfwe.results.document import study_results
from dfwe.results.export import export_models
from dfwe.run_study import run_study
from dfwe.stages.evaluate import EvaluateStage
from dfwe.studies.plan import plan_study

MODELS = ["baseline", "meld", "mixture", "emory_emotion", "personality", "uniform", "nelder_mead"]


class OtherExecutor(Executor):
    """Runs stages as the local one does, and says that it does not."""

    is_sequential = False

    def opened(self, config, *, family):
        return LocalExecutor().opened(config, family=family)


def results(folder):
    found = json.loads((folder / "results.json").read_text())
    return {key: value for key, value in found.items() if key != "seconds"}


def test_the_results_hold_every_model_with_dev_test_and_delta(ran):
    rows = {row["name"]: row for row in results(ran[0])["models"]}
    assert list(rows) == MODELS
    assert all(0.0 <= rows[name][split]["score"] <= 1.0 for name in MODELS for split in ("dev", "test"))
    assert all(
        rows[name]["delta"] == pytest.approx(rows[name]["test"]["score"] - rows["baseline"]["test"]["score"])
        for name in MODELS[1:]
    )


@pytest.mark.parametrize("is_sequential", [True, False])
def test_an_executor_decides_whether_time_left_is_shown(ran, tmp_path, monkeypatch, is_sequential):
    monkeypatch.setattr(OtherExecutor, "is_sequential", is_sequential)
    monkeypatch.setattr("dfwe.run_study.bind", lambda config: OtherExecutor())
    monkeypatch.setattr(
        "dfwe.run_study.num_rows", lambda stages, *, store: estimated.append(stages) or [0] * len(stages)
    )
    estimated = []
    run_study(ran[2], folder=tmp_path)
    assert bool(estimated) is is_sequential


def test_a_merge_stands_against_the_uniform_mixture_the_equally_trained_and_the_best_expert_on_dev(ran):
    rows = {row["name"]: row for row in results(ran[0])["models"]}
    best = max(MODELS[1:5], key=lambda name: rows[name]["dev"]["score"])
    for merge, expected in (
        ("uniform", {"equally_trained": "meld", "best_expert": best}),
        ("nelder_mead", {"equally_trained": "meld", "best_expert": best, "uniform": "uniform"}),
    ):
        against = rows[merge]["against"]
        assert {part: each["name"] for part, each in against.items()} == expected
        for each in against.values():
            difference = rows[merge]["test"]["score"] - rows[each["name"]]["test"]["score"]
            assert each["delta"] == pytest.approx(difference)


def test_the_recommended_model_is_the_best_of_all_rows_on_dev(ran):
    found = results(ran[0])
    rows, best = {row["name"]: row for row in found["models"]}, found["recommended"]
    assert best["dev"] == max(row["dev"]["score"] for row in rows.values())
    assert (best["test"], best["kind"]) == (rows[best["name"]]["test"]["score"], rows[best["name"]]["kind"])
    assert (best["folder"], best["chosen_among"]) == ("best", len(MODELS))
    assert best["optimism"] == pytest.approx(best["dev"] - best["test"])
    for told in (best, found["headline"]):
        parts = {each["role"]: each["name"] for each in told["against"]}
        assert parts == {role: name for role, name in found["roles"].items() if name != told["name"]}
        assert told["claim"] in ("better", "not_shown", "worse")


def test_models_are_compared_with_all_rows_of_no_more_cost(ran):
    found = results(ran[0])
    rows = {row["name"]: row for row in found["models"]}
    for model in (found["headline"], found["recommended"]):
        cost = rows[model["name"]]["cost"]["training"]
        cheap = [row for name, row in rows.items() if name != model["name"] and row["cost"]["training"] <= cost]
        cheap = sorted(cheap, key=lambda row: row["cost"]["training"])
        assert [other["name"] for other in model["not_dearer"]] == [row["name"] for row in cheap]
        for other, row in zip(model["not_dearer"], cheap, strict=True):
            score = rows[model["name"]]["test"]["score"]
            assert other["delta"] == pytest.approx(score - row["test"]["score"])
            assert other["times_cost"] == pytest.approx(row["cost"]["training"] / cost)


def test_a_dev_set_of_few_instances_is_warned_of_and_withholds_the_claim(ran, monkeypatch):
    monkeypatch.setattr("dfwe.results.warnings.FEW", results(ran[0])["n"]["dev"] + 1)
    found = study_results(plan_study(ran[2]), seconds={})
    codes = {each["code"]: each for each in found["warnings"]}
    assert codes["small_dev"]["subject"] == "meld dev"
    assert found["headline"]["claim"] == found["recommended"]["claim"] == "not_shown"
    assert codes["small_dev"]["text"] in found["headline"]["why"]


def test_a_model_that_was_not_exported_is_in_no_folder(ran):
    assert study_results(plan_study(ran[2]), seconds={}, exported=False)["recommended"]["folder"] is None


def test_the_recommended_model_lies_in_best_and_answers_as_it_did(ran, tmp_path):
    folder, _, config = ran
    study, name = plan_study(config), results(folder)["recommended"]["name"]
    stage = study.evaluations[name]
    model = AutoModelForSeq2SeqLM.from_pretrained(folder / "best")
    assert len(AutoTokenizer.from_pretrained(folder / "best")) == model.config.vocab_size
    stored = stage.evaluation(stage.result(study.family.context.store)).predictions
    assert study.family.scorer(study.target, split="test")(model, exact=True).predictions == stored
    assert json.loads((folder / "best" / "dfwe.json").read_text())["model"] == name


@pytest.mark.parametrize("recommended", ["baseline", "nelder_mead"])
def test_any_model_can_be_exported_as_the_best_and_a_merge_twice_is_two_copies(ran, tmp_path, recommended):
    study = plan_study(ran[2])
    results = json.loads((ran[0] / "results.json").read_text())
    results["recommended"] = {**results["recommended"], "name": recommended}
    export_models(study, results=results, folder=tmp_path, max_shard_size="5GB", with_experts=False)
    told = {name: json.loads((tmp_path / name / "dfwe.json").read_text()) for name in ("merged", "best")}
    assert (told["merged"]["model"], told["best"]["model"]) == ("nelder_mead", recommended)
    same = told["merged"] == told["best"]
    assert same == (recommended == "nelder_mead")
    weights = [tmp_path / name / "model.safetensors" for name in ("merged", "best")]
    assert (weights[0].read_bytes() == weights[1].read_bytes()) == same
    assert not weights[0].samefile(weights[1])


def test_the_results_judge_each_model_once(ran, monkeypatch):
    study, judged, evaluation = plan_study(ran[2]), [], EvaluateStage.evaluation
    monkeypatch.setattr(
        EvaluateStage, "evaluation", lambda stage, entry: judged.append(stage) or evaluation(stage, entry)
    )
    study_results(study, seconds={})
    assert judged == list(study.evaluations.values())


def test_the_coefficients_are_on_the_simplex_by_name(ran):
    head = results(ran[0])["headline"]
    assert list(head["coefficients"]) == MODELS[1:5]
    assert sum(head["coefficients"].values()) == pytest.approx(1.0)
    assert min(head["coefficients"].values()) >= 0.0


def test_the_journal_holds_every_evaluation_and_starts_at_uniform(ran):
    trials = [json.loads(line) for line in (ran[0] / "trials.jsonl").read_text().splitlines()]
    assert [trial["kind"] for trial in trials[:4]] == ["uniform", "search", "search", "search"]
    assert results(ran[0])["headline"]["evaluations"] == len(trials)
    assert set(trials[0]["coefficients"].values()) == {0.25}


def test_a_second_run_makes_nothing_and_says_the_same(ran, tmp_path, monkeypatch):
    def refuse(*arguments, **names):
        raise AssertionError("a stage was made again")

    monkeypatch.setattr("dfwe.stages.train.TrainStage.make", refuse)
    monkeypatch.setattr("dfwe.stages.merge.MergeStage.make", refuse)
    monkeypatch.setattr("dfwe.stages.evaluate.EvaluateStage.make", refuse)
    run_study(ran[2], folder=tmp_path)
    assert results(tmp_path) == results(ran[0])


def test_the_same_seed_gives_the_same_numbers_in_another_store(ran, small, tmp_path):
    (tmp_path / "run").mkdir()
    run_study(small(tmp_path / "store"), folder=tmp_path / "run")
    first, again = results(ran[0]), results(tmp_path / "run")
    # Few scores would show nothing. The toy's dev set is so small that models of other answers score alike there.
    assert len({row[split]["score"] for row in first["models"] for split in ("dev", "test")}) > 3
    assert [row["test"] for row in first["models"]] == [row["test"] for row in again["models"]]
    assert first["headline"] == again["headline"]


def test_exported_files_are_readable_as_the_umask_says(ran):
    mask = os.umask(0)
    os.umask(mask)
    for folder in (ran[0] / "merged", ran[0] / "best"):
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o666 & ~mask}


def test_threads_of_one_study_are_not_those_of_the_next(monkeypatch, tmp_path):
    before = torch.get_num_threads()
    monkeypatch.setattr("dfwe.run_study._run", lambda config, folder: torch.set_num_threads(before + 1))
    run_study(OmegaConf.create(), folder=tmp_path)
    assert torch.get_num_threads() == before


def test_the_merged_folder_loads_and_gives_the_same_answers(ran):
    folder, _, config = ran
    study = plan_study(config)
    stage = study.evaluations["nelder_mead"]
    stored = stage.evaluation(stage.result(study.family.context.store)).predictions
    model = AutoModelForSeq2SeqLM.from_pretrained(folder / "merged")
    tokenizer = AutoTokenizer.from_pretrained(folder / "merged")
    assert len(tokenizer) == model.config.vocab_size
    assert (tokenizer.truncation_side, tokenizer.model_max_length) == ("left", config.model.max_source_tokens)
    assert study.family.scorer(study.target, split="test")(model, exact=True).predictions == stored
    corpus = study.family.context.data.corpus(study.target)
    dialogues = [corpus.dialogues[i] for i in corpus.splits["test"]]
    by_id = {each.instance_id: each.answer for each in load(folder / "merged").answers(dialogues)}
    instances = study.family.context.data.instances(study.target, split="test")
    assert [by_id[instance.instance_id] for instance in instances] == list(stored)


def test_a_damaged_expert_is_trained_again_and_gives_the_same_weights(ran, caplog):
    study = plan_study(ran[2])
    stage = study.trained["personality"]
    weights = stage.result(study.family.context.store).file("weights.safetensors")
    before = weights.read_bytes()
    weights.write_bytes(before[: len(before) // 2])
    assert stage.result(study.family.context.store).file("weights.safetensors").read_bytes() == before
    assert "set aside" in caplog.text


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["sources=[meld,personality]"], ConfigurationError, "the target 'meld' is among its sources"),
        (["sources=none"], ConfigurationError, "at least one source"),
        (["merge.selection=best"], ConfigurationError, "unknown merge.selection 'best': choose among argmax, bagged"),
        (
            ["data=friends", "data.root=nowhere", "model=t5_toy"],
            DataError,
            "nowhere.*is missing: data.root must be the folder",
        ),
        (["target.meld.decode=guess"], ConfigurationError, "meld: decode must be one of labels, candidates, greedy"),
        (["decoding.reference.num_beams=0"], ConfigurationError, "num_beams must be at least 1"),
    ],
)
def test_what_cannot_work_is_said_before_any_training(small, tmp_path, overrides, error, message):
    with pytest.raises(error, match=message):
        plan_study(small(tmp_path / "store", *overrides))
    assert not list((tmp_path / "store").glob("train-*"))


def test_a_study_can_stop_early_and_skip(ran, small):
    until = plan_study(small(ran[1], "stages.until=train"))
    assert (until.experts, until.merges, until.evaluations, until.baseline) == ({}, {}, {}, None)
    skipping = plan_study(small(ran[1], "stages.skip=[finetune,baseline]"))
    assert skipping.merges["nelder_mead"].experts == skipping.trained
    assert "baseline" not in skipping.evaluations


def test_several_merges_stand_in_one_study(ran, small):
    study = plan_study(small(ran[1], "+merge@merges.second=ties"))
    assert list(study.merges) == ["uniform", "ties", "nelder_mead"]


def test_another_rule_and_search_run_on_the_same_experts(ran, small, tmp_path):
    config = small(ran[1], "merge=ties", "merge/search=cma", "merge.search.budget=3")
    run_study(config, folder=tmp_path)
    row = results(tmp_path)["models"][-1]
    assert (row["name"], row["search_evaluations"]) == ("ties", 3)
    assert torch.isfinite(AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "merged").shared.weight).all()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+merge.method.densty=0.5"], r"dfwe\.merging\.methods\.linear\.Linear.*densty"),
        (["merge.method._target_=dfwe.merging.methods.linear.Linaer"], "Linaer"),
        (["+merge.search.stepp=2"], "stepp"),
        (["+trainer.optimizer.betta=1"], "betta"),
        (["data.shots=1.5"], "shots must be 'all', a share"),
        (["merge.search.optimizer=NelderMaed"], "NelderMaed"),
        (["merge=slerp"], "slerp merges 2 models, not 4"),
        (["merge=ties", "merge.method.density=2.0"], r"density=2\.0: expected a number above 0 and of at most 1"),
    ],
)
def test_a_wrong_argument_is_said_in_one_line_before_any_training(small, tmp_path, overrides, message):
    with pytest.raises(DfweError, match=message):
        plan_study(small(tmp_path / "store", *overrides))


def test_what_the_imports_left_is_taken_out_of_later_collections(ran):
    assert gc.get_freeze_count() > 100_000
