"""What a merge is held against beside the baseline."""

import json
import logging

import pytest
import torch

from dfwe.errors import ConfigurationError, ModelError
from dfwe.merging.expert_array import flat_weights
from dfwe.run_study import run_study
from dfwe.stages.ensemble import EnsembleStage
from dfwe.studies.plan import plan_study

ALL = "baselines=[random,multitask,ensemble,ensemble_search,ensemble_greedy,same_compute]"


@pytest.fixture(scope="module")
def found(ran, small, tmp_path_factory):
    """The results of a study with every control; its trainings are those of the study that ran."""
    _, store, _ = ran
    folder = tmp_path_factory.mktemp("baselines")
    run_study(small(store, ALL), folder=folder)
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def rows(found):
    """Its rows by name."""
    return {row["name"]: row for row in found["models"]}


def test_controls_are_rows_like_any_other(rows):
    baselines = [row for row in rows.values() if row["kind"] == "baseline"]
    ensembles = ["ensemble", "ensemble_search", "ensemble_greedy"]
    assert [row["name"] for row in baselines] == ["baseline", "random", "multitask", *ensembles, "same_compute"]
    assert all({"dev", "test", "delta", "p", "cost"} <= set(row) for row in baselines[1:])


def test_the_random_point_lies_inside_the_simplex_and_is_not_its_centre(rows):
    values = list(rows["random"]["coefficients"].values())
    assert sum(values) == pytest.approx(1.0)
    assert all(0 < value < 1 for value in values)
    assert max(values) - min(values) > 0.01


def test_multitask_training_is_the_mixture_before_it_was_fine_tuned(rows):
    assert rows["multitask"]["stage"] != rows["mixture"]["stage"]
    assert rows["multitask"]["cost"]["train_steps"] < rows["mixture"]["cost"]["train_steps"]


def test_a_study_without_a_merge_logs_why_it_has_no_baselines(small, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="dfwe"):
        study = plan_study(small(tmp_path, "baselines=[random,multitask]", "stages.skip=[merge]"))
    assert not study.baselines
    assert caplog.text.count("no baselines (random, multitask) for MELD_emotion_recognition: nothing is merged") == 1


def test_the_long_baseline_may_take_as_many_steps_as_all_experts_together(rows):
    steps = {name: row["cost"]["train_steps"] for name, row in rows.items()}
    an_epoch = steps["baseline"] / rows["baseline"]["epochs"]
    allowed = rows["same_compute"]["most_epochs"] * an_epoch
    assert allowed == pytest.approx(steps["uniform"], abs=steps["baseline"] / 2)
    assert steps["baseline"] <= steps["same_compute"] <= allowed


def test_the_long_baseline_ends_where_a_plain_trainings_epochs_gain_nothing(small, tmp_path):
    study = plan_study(small(tmp_path, ALL, "trainer.finetune.epochs=6", "trainer.finetune.patience=1"))
    assert study.baseline.recipe.fit["patience"] == 1
    assert study.baselines["same_compute"].recipe.fit["patience"] == 6


def test_the_long_baseline_is_the_equally_trained_one_where_it_is_asked_for(found):
    assert found["roles"]["equally_trained"] == "same_compute"
    assert {each["role"]: each["name"] for each in found["headline"]["against"]}["equally_trained"] == "same_compute"


def test_an_ensemble_is_never_recommended_and_everything_else_may_be(found):
    names = [row["name"] for row in found["models"]]
    assert found["recommended"]["chosen_among"] == len(names) - 3
    single = [row for row in found["models"] if not row["name"].startswith("ensemble")]
    assert found["recommended"]["dev"] == max(row["dev"]["score"] for row in single)


def test_weighted_ensembles_reach_their_best_member_on_dev(rows):
    for name in ("ensemble_search", "ensemble_greedy"):
        values = rows[name]["coefficients"]
        assert sum(values.values()) == pytest.approx(1)
        assert set(values) <= set(rows)
        assert rows[name]["dev"]["score"] >= max(rows[member]["dev"]["score"] for member in values) - 0.02
        assert rows[name]["cost"]["dev_answers"] == rows["ensemble"]["cost"]["dev_answers"]
    assert rows["ensemble_greedy"]["tried"] == 50 * len(rows["ensemble_greedy"]["coefficients"])


def test_a_merge_and_an_ensemble_cost_what_their_experts_cost_and_their_own_answers(rows):
    merge, ensemble, experts = (
        rows["nelder_mead"],
        rows["ensemble"],
        [r for r in rows.values() if r["kind"] == "expert"],
    )
    assert (
        ensemble["cost"]["train_steps"]
        == merge["cost"]["train_steps"]
        == sum(row["cost"]["train_steps"] for row in experts)
    )
    answers = sum(row["cost"]["dev_answers"] for row in experts)
    assert ensemble["cost"]["dev_answers"] == answers
    assert merge["cost"]["dev_answers"] == answers + merge["dev_answers"]


def test_a_soup_of_seeds_begins_with_the_studys_own_baseline(ran, small, tmp_path):
    _, store, _ = ran
    settings = ["baselines=[seed_soup,seed_ensemble]", "trainer.finetune.epochs=2", "report=false"]
    run_study(small(store, *settings), folder=tmp_path)
    rows = {row["name"]: row for row in json.loads((tmp_path / "results.json").read_text())["models"]}
    values = rows["seed_soup"]["coefficients"]
    assert list(values.values()) == pytest.approx([0.2] * 5)
    assert "seed_0" in values
    for name in ("seed_soup", "seed_ensemble"):
        assert rows[name]["kind"] == "baseline"
        assert rows[name]["cost"]["train_steps"] >= 2 * rows["baseline"]["cost"]["train_steps"]
    assert rows["seed_ensemble"]["cost"]["train_steps"] == rows["seed_soup"]["cost"]["train_steps"]


@pytest.fixture(scope="module")
def along_training(ran, small, tmp_path_factory):
    """The study and its rows with averages of the single-task experts, and along the baseline's training."""
    _, store, _ = ran
    names = "ratatouille_uniform,ratatouille_greedy,checkpoint_average,ema"
    config, folder = small(store, f"baselines=[{names}]", "report=false"), tmp_path_factory.mktemp("averages")
    run_study(config, folder=folder)
    rows = json.loads((folder / "results.json").read_text())["models"]
    return plan_study(config), {row["name"]: row for row in rows}


def test_ratatouille_averages_the_single_task_experts_alone(along_training):
    study, rows = along_training
    single, store = ("meld", "emory_emotion", "personality"), study.family.context.store
    assert rows["ratatouille_uniform"]["coefficients"] == pytest.approx(dict.fromkeys(single, 1 / 3))
    assert set(rows["ratatouille_greedy"]["coefficients"]) == set(single)
    shares = {round(value, 9) for value in rows["ratatouille_greedy"]["coefficients"].values() if value}
    assert len(shares) == 1
    mean = torch.stack([flat_weights(study.experts[name].model(study.experts[name].result(store))) for name in single])
    merge = study.baselines["ratatouille_uniform"]
    torch.testing.assert_close(flat_weights(merge.model(merge.result(store))), mean.mean(0))
    steps = sum(rows[name]["cost"]["train_steps"] for name in single)
    assert rows["ratatouille_uniform"]["cost"]["train_steps"] == steps


@pytest.mark.parametrize("name", ["checkpoint_average", "ema"])
def test_an_averaged_baseline_is_the_baselines_training_again(along_training, name):
    study, rows = along_training
    assert rows[name]["kind"] == "baseline"
    assert rows[name]["cost"]["train_steps"] == rows["baseline"]["cost"]["train_steps"]
    assert rows[name]["stage"] != rows["baseline"]["stage"]
    spec, plain = study.baselines[name].spec(), study.baseline.spec()
    assert spec["fit"].pop("averaging")
    assert spec == plain


def test_the_first_epochs_average_is_the_baseline_itself(along_training):
    study, rows = along_training
    epochs = {name: rows[name]["epochs"] for name in ("baseline", "checkpoint_average")}
    cards = [stage.result(study.family.context.store).card.result for stage in
             (study.baseline, study.baselines["checkpoint_average"])]  # fmt: skip
    assert epochs["checkpoint_average"] == epochs["baseline"] == 2
    assert cards[0]["epochs"][0] == cards[1]["epochs"][0]


def test_ratatouille_needs_experts_that_are_fine_tuned(small, tmp_path, caplog):
    settings = ("baselines=[ratatouille_uniform]", "stages.skip=[finetune]")
    with caplog.at_level(logging.INFO):
        assert not plan_study(small(tmp_path, *settings)).baselines
    assert "no baseline ratatouille_uniform for MELD_emotion_recognition: experts are not fine-tuned" in caplog.text


def test_a_nested_setting_leaves_its_neighbours(small, tmp_path):
    settings = "+baseline_settings={ensemble_greedy: {weights: {steps: 7}}}"
    study = plan_study(small(tmp_path, "baselines=[ensemble_greedy]", settings))
    assert study.baselines["ensemble_greedy"].weights["steps"] == 7


def test_free_text_has_no_ensemble_and_that_is_said(small, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        study = plan_study(small(tmp_path, "+target=question_answering", "baselines=[ensemble]"))
    assert not study.baselines
    assert "no baseline ensemble for question_answering: only label scores can be averaged" in caplog.text


def test_experts_that_are_not_fine_tuned_have_multitask_training_among_them(small, tmp_path):
    study = plan_study(small(tmp_path, "baselines=[multitask,ensemble]", "stages.skip=[finetune]"))
    assert [type(stage) for stage in study.baselines.values()] == [EnsembleStage]


def test_an_unknown_control_is_an_error_with_the_choice(small, tmp_path):
    with pytest.raises(ConfigurationError, match="unknown baselines 'chance': choose among .*random"):
        plan_study(small(tmp_path, "baselines=[chance]"))


CLASSIFIER = (
    "+target=meld", "sources=[emory_emotion]", "model=bert_toy_classifier", "model.pretrain=null",
    "model.source.vocab_size=300",
    "model.source.config={hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, "
    "max_position_embeddings: 128}",
    "data.generator.num_train=12", "data.generator.num_dev=8", "data.generator.num_test=8", "report=false",
    "trainer.train.epochs=1", "trainer.finetune.epochs=1", "merge.search.budget=2", "trainer.threads=1",
)  # fmt: skip


def test_a_linear_probe_is_the_frozen_encoder_under_its_head(composed, tmp_path):
    config = composed(*CLASSIFIER, "baselines=[linear_probe]", f"paths.store={tmp_path}/store")
    run_study(config, folder=tmp_path / "run")
    rows = {row["name"]: row for row in json.loads((tmp_path / "run" / "results.json").read_text())["models"]}
    assert rows["linear_probe"]["kind"] == "baseline"
    assert rows["linear_probe"]["cost"]["train_steps"] == 0
    study = plan_study(config)
    stage, family = study.baselines["linear_probe"], study.family
    parts = [dict(model.named_parameters()) for model in (stage.model(stage.result(family.context.store)),
                                                          family.model((study.target,)))]  # fmt: skip
    assert all(torch.equal(parts[0][name], parts[1][name]) for name in parts[1])
    head = stage.heads[0].result(family.context.store).card.result
    assert rows["linear_probe"]["dev"]["score"] == head["dev"]["score"]


def test_models_without_a_fitted_head_have_no_linear_probe(small, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert not plan_study(small(tmp_path, "baselines=[linear_probe]")).baselines
    assert "no head that is fitted first" in caplog.text


LORA = ("baselines=[lora_baseline]", "+baseline_settings={lora_baseline: {rank: 2, learning_rate_factor: 4}}")


def test_the_lora_row_is_an_adapter_beside_whole_models(ran, small, tmp_path):
    pytest.importorskip("peft", reason="the extra lora is not installed")
    config = small(ran[1], *LORA, "report=false", "export=false")
    run_study(config, folder=tmp_path)
    row = {row["name"]: row for row in json.loads((tmp_path / "results.json").read_text())["models"]}["lora_baseline"]
    study = plan_study(config)
    stage, baseline = study.baselines["lora_baseline"], study.baseline
    entry = stage.result(study.family.context.store)
    assert (row["kind"], row["tasks"]) == ("baseline", ["meld"])
    assert "adapter_model.safetensors" in entry.card.files
    scorer = study.family.scorer(study.target, split="dev")
    assert scorer(stage.model(entry)).predictions == stage.dev(entry).predictions
    rates = [each.recipe.fit["learning_rate"] for each in (stage, baseline)]
    assert rates[0] == pytest.approx(4 * rates[1])
    assert (baseline.lora, stage.lora.rank) == (None, 2)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (("model=llama_toy_lora", "baselines=[lora_baseline]"), "the study's own trainings are LoRA"),
        ((*CLASSIFIER[2:], "baselines=[lora_baseline]"), "models of the family classifier train all their weights"),
    ],
)
def test_where_there_is_no_lora_row_the_reason_is_said(composed, tmp_path, caplog, settings, reason):
    if "own trainings" in reason:
        pytest.importorskip("peft", reason="the extra lora is not installed")
    with caplog.at_level(logging.INFO):
        assert not plan_study(composed(*CLASSIFIER[:2], *settings, f"paths.store={tmp_path}")).baselines
    assert f"no baseline lora_baseline for MELD_emotion_recognition: {reason}" in caplog.text


def test_a_lora_row_without_peft_is_one_line(small, tmp_path, monkeypatch):
    monkeypatch.setattr("dfwe.models.lora.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"'peft' that trains LoRA is not installed: run `pip install 'dfwe\[lora\]'`"):
        plan_study(small(tmp_path, *LORA))


@pytest.mark.parametrize("settings", ["{rank: 0}", "{dropout: 1}", "{targets: '('}", "{learning_rate_factor: 0}"])
def test_a_wrong_setting_of_the_lora_row_is_refused(small, tmp_path, settings):
    with pytest.raises(ConfigurationError, match="baseline_settings.lora_baseline.*expected"):
        plan_study(small(tmp_path, "baselines=[lora_baseline]", f"+baseline_settings={{lora_baseline: {settings}}}"))
