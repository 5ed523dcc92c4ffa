"""A student that learns an ensemble's answers, and its rival that learns the baseline's."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dfwe.errors import ConfigurationError
from dfwe.report.command import main as report
from dfwe.report.study_results import as_study
from dfwe.report.verdict import verdict_lines
from dfwe.run_study import run_study
from dfwe.stages.distillation import StudentStage, soft_labels
from dfwe.stages.train import DEV, DEV_LABEL_SCORES, weights_file
from dfwe.store.card import Card
from dfwe.studies.plan import plan_study

FEW_DIALOGUES = ("data.generator.num_train=12", "data.generator.num_dev=8", "data.generator.num_test=8")
STUDENTS = ("distilled", "self_training")
ROWS = "baselines=[ensemble_search,distilled,self_training]"
SETTINGS = "+baseline_settings={distilled: {epochs: 2, ensemble: ensemble_search}, self_training: {epochs: 2}}"
FEW = "data.shots={meld: 4}"


@pytest.fixture(scope="module")
def made(small, tmp_path_factory):
    """The results of a study with both students, its folder and its configuration."""
    folder, store = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("store")
    config = small(store, ROWS, SETTINGS, FEW, "report=true")
    run_study(config, folder=folder)
    return json.loads((folder / "results.json").read_text()), folder, config


@pytest.fixture(scope="module")
def rows(made):
    """Its rows by name."""
    return {row["name"]: row for row in made[0]["models"]}


@pytest.fixture(scope="module")
def study(made):
    """The same study, whose stages are in the store."""
    return plan_study(made[2])


def test_students_are_single_models_with_the_texts_they_read(rows):
    assert rows["distilled"]["unlabelled"] == rows["self_training"]["unlabelled"] >= 4
    assert not any("unlabelled" in row for name, row in rows.items() if name not in STUDENTS)
    for name in STUDENTS:
        assert rows[name]["kind"] == "baseline"
        assert {"dev", "test", "delta", "p", "cost", "best_epoch"} <= set(rows[name])


def test_a_student_may_be_recommended(made):
    assert made[0]["recommended"]["chosen_among"] == len(made[0]["models"]) - 1  # the ensemble


def test_a_student_costs_what_teaches_it_and_its_own_steps(rows, study):
    student, steps = study.baselines["distilled"], {name: row["cost"]["train_steps"] for name, row in rows.items()}
    own = student.num_steps(rows["distilled"]["epochs"])
    assert own > study.baseline.num_steps(rows["distilled"]["epochs"]) - 1
    assert steps["distilled"] == steps["nelder_mead"] + own
    assert rows["distilled"]["cost"]["dev_answers"] > rows["nelder_mead"]["cost"]["dev_answers"]


def test_a_student_starts_from_the_best_on_dev_and_says_so(rows):
    for name, candidates in (("distilled", 6), ("self_training", 2)):
        scores = rows[name]["starts"]
        assert len(scores) == candidates
        assert scores[rows[name]["start"]] == max(scores.values())
    assert set(rows["self_training"]["starts"]) == {"parent", "baseline"}
    assert "merge nelder_mead" in rows["distilled"]["starts"]


def test_the_pool_has_no_labels_and_no_labelled_text(study):
    data, target = study.family.context.data, study.target
    pool = study.baselines["distilled"].teacher.pool.instances(data)
    in_use = {each.source for split in ("train", "dev", "test") for each in data.instances(target, split=split)}
    assert not any(each.targets or each.references for each in pool)
    assert not in_use & {each.source for each in pool}
    assert len(data.instances(target, split="train")) == 4


def test_the_taught_labels_are_the_teachers_distribution(study):
    student = study.baselines["distilled"]
    log_p = student.teacher.log_probabilities()
    train = student._student_family.context.data.instances(study.target, split="train")
    assert [each.target_weights for each in train[:4]] == [()] * 4
    taught = np.array([each.target_weights for each in train[4:]])
    assert taught == pytest.approx(np.exp(log_p), abs=1e-6)
    assert taught.sum(axis=1) == pytest.approx(1)
    assert train[4].targets == train[4].candidates


def test_temperature_flattens_or_sharpens(study):
    instance = study.family.context.data.instances(study.target, split="dev")[0]
    two = replace(instance, candidates=("a", "b"))
    weights = {t: soft_labels([two], np.log([[0.8, 0.2]]), temperature=t)[0].target_weights for t in (0.5, 1.0, 2.0)}
    assert weights[1.0] == pytest.approx((0.8, 0.2))
    assert weights[2.0] == pytest.approx((2 / 3, 1 / 3))  # sqrt(0.8) : sqrt(0.2)
    assert weights[0.5] == pytest.approx((16 / 17, 1 / 17))


def test_a_labels_place_that_an_instance_lacks_is_left_out(study):
    instance = study.family.context.data.instances(study.target, split="dev")[0]
    three = np.array([[np.log(0.75), np.log(0.25), -np.inf]])
    soft = soft_labels([replace(instance, candidates=("a", "b"))], three, temperature=3.0)[0]
    assert len(soft.target_weights) == len(soft.targets) == 2
    assert sum(soft.target_weights) == pytest.approx(1)


def test_every_report_says_who_read_texts_without_labels(made, capsys):
    results, folder, _ = made
    number = next(row["unlabelled"] for row in results["models"] if row["name"] == "distilled")
    name = f"distilled ensemble (+{number} unlabelled)"
    assert any(line.startswith(f"More data: {name}") for line in verdict_lines(as_study(results)))
    page = (folder / "report.html").read_text()
    assert page.count("also learnt from texts without labels") >= 2  # the answer, and the table
    report(["markdown", str(folder)])
    text = capsys.readouterr().out
    assert f"| {name}" in text
    assert "also learnt from texts without labels" in text


def test_results_without_students_do_not_mention_texts(ran):
    results = as_study(json.loads((ran[0] / "results.json").read_text()))
    assert not any("unlabelled" in line or "More data" in line for line in verdict_lines(results))


def test_all_labels_in_use_leave_no_student_and_that_is_said(small, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        study = plan_study(small(tmp_path, "baselines=[distilled]"))
    assert not study.baselines
    assert "no baseline distilled for MELD_emotion_recognition: no text is left whose label is not used" in caplog.text


def test_free_text_has_no_student_and_that_is_said(small, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        study = plan_study(small(tmp_path, "+target=question_answering", "baselines=[distilled,self_training]"))
    assert not study.baselines
    for name in STUDENTS:
        assert f"no baseline {name} for question_answering: only label scores can be averaged" in caplog.text


def test_the_sources_texts_are_asked_in_the_targets_prompt(small, tmp_path):
    study = plan_study(small(tmp_path, "baselines=[distilled]", "data.unlabelled=sources"))
    pool = study.baselines["distilled"].teacher.pool.instances(study.family.context.data)
    assert len(pool) > 10
    labelled = study.family.context.data.instances(study.target, split="train")[0]
    assert {each.prompt for each in pool} == {labelled.prompt}
    assert {each.candidates for each in pool} == {labelled.candidates}


def test_the_merge_preset_brings_rows_and_no_other_merge(small, tmp_path):
    plain = plan_study(small(tmp_path, FEW, "merge=nelder_mead"))
    preset = plan_study(small(tmp_path, FEW, "merge=distilled"))
    assert list(preset.baselines) == ["ensemble_search", "distilled", "self_training"]
    assert isinstance(preset.baselines["distilled"], StudentStage)
    assert preset.merges["nelder_mead"].digest == plain.merges["nelder_mead"].digest
    assert list(plan_study(small(tmp_path, "merge=ensemble_search")).baselines) == ["ensemble_search"]


def test_the_row_of_the_ensemble_is_what_teaches(small, tmp_path):
    changed = "+baseline_settings={ensemble_greedy: {weights: {steps: 7}}, distilled: {ensemble: ensemble_greedy}}"
    rows = plan_study(small(tmp_path, FEW, "baselines=[distilled,ensemble_greedy]", changed)).baselines
    assert rows["distilled"].teacher.ensemble.digest == rows["ensemble_greedy"].digest


def test_settings_of_a_baseline_that_is_not_there_are_refused(small, tmp_path):
    with pytest.raises(ConfigurationError, match="baseline_settings has distilled, which baselines= does not name"):
        plan_study(small(tmp_path, "baselines=[random]", "+baseline_settings={distilled: {epochs: 2}}"))


def test_a_wrong_setting_of_a_baseline_is_refused(small, tmp_path):
    with pytest.raises(ConfigurationError, match=r"baseline_settings\.random must be settings by their names, not 3"):
        plan_study(small(tmp_path, "baselines=[random]", "+baseline_settings={random: 3}"))
    with pytest.raises(ConfigurationError, match=r"baseline_settings\.distilled\.temperature=0"):
        plan_study(small(tmp_path, FEW, "baselines=[distilled]", "+baseline_settings={distilled: {temperature: 0}}"))


def test_a_second_run_trains_nothing_twice(made, rows, tmp_path, monkeypatch):
    def refuse(*arguments, **names):
        raise AssertionError("a stage was made again")

    monkeypatch.setattr(StudentStage, "make", refuse)
    run_study(made[2], folder=tmp_path)
    again = json.loads((tmp_path / "results.json").read_text())["models"]
    assert {row["name"]: row["test"] for row in again} == {name: row["test"] for name, row in rows.items()}


TINY = (
    "model.pretrain=null",
    "model.source.vocab_size=300",
    "trainer.train.epochs=1",
    "trainer.finetune.epochs=1",
    "trainer.checkpoint=false",
    "trainer.threads=1",
    "merge.search.budget=2",
    "diagnostics=[]",
    "report=false",
    "export=false",
    "baselines=[distilled,self_training]",
    "+baseline_settings={distilled: {epochs: 1, ensemble: ensemble_greedy}, self_training: {epochs: 1}}",
)
MELD = ("+target=meld", "sources=[emory_emotion]", "data.shots={meld: 4}", *FEW_DIALOGUES)
BERT = "{hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, "
BERT += "max_position_embeddings: 128}"
LLAMA = BERT.replace("intermediate_size", "num_key_value_heads: 1, intermediate_size").replace(": 128", ": 256")
ROWS_OF_HEADS = "{train: 24, dev: 12, test: 12}"
HEADS = (
    "+target=toy_sentiment",
    "sources=[toy_paraphrase]",
    "data=toy_multitask",
    "data.shots={toy_sentiment: 6}",
    "model.max_source_tokens=128",
    *(f"data.generator.rows.{task}={ROWS_OF_HEADS}" for task in ("sentiment", "paraphrase", "similarity", "inference")),
)


@pytest.mark.parametrize(
    ("model", "shape", "study"),
    [("bert_toy_classifier", BERT, MELD), ("bert_toy", BERT, HEADS), ("llama_toy", LLAMA, MELD)],
)
def test_every_family_with_labels_has_students(composed, tmp_path, model, shape, study):
    settings = (f"model={model}", f"model.source.config={shape}", f"paths.store={tmp_path}/store")
    run_study(composed(*study, *TINY, *settings), folder=tmp_path)
    rows = {row["name"]: row for row in json.loads((tmp_path / "results.json").read_text())["models"]}
    for name in STUDENTS:
        assert rows[name]["unlabelled"] > 4
        assert rows[name]["test"]["score"] is not None
    if model == "bert_toy_classifier":  # its head was fitted to labelled examples alone
        assert {card.result["examples"] for card in map(Card.read, (tmp_path / "store").glob("head-*"))} >= {4}


def ended(study, folder, scores):
    """The card of a student that is trained once more, with these dev scores of what it may start from."""
    student = replace(study.baselines["self_training"])
    student.__dict__["_start_scores"] = scores
    folder.mkdir()
    return student.make(folder, tell=lambda share: None)


def test_a_start_that_no_epoch_reaches_is_kept_as_epoch_0(study, tmp_path):
    card, files = ended(study, tmp_path / "run", {"baseline": 2.0, "parent": 0.0})
    assert (card["best_epoch"], card["start"], len(card["epochs"])) == (0, "baseline", 2)
    baseline = study.baseline.result(study.family.context.store)
    weights = [load_file(path) for path in (tmp_path / "run" / files[0], weights_file(baseline))]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])
    assert json.loads((tmp_path / "run" / DEV).read_text()) == json.loads(baseline.file(DEV).read_text())
    scores = np.load(tmp_path / "run" / DEV_LABEL_SCORES)
    assert scores == pytest.approx(study.baseline.label_scores(baseline), abs=1e-4)


@pytest.mark.parametrize("scores", [{"baseline": 0.0, "parent": 2.0}, {"baseline": -1.0, "parent": -2.0}])
def test_the_parent_and_a_start_below_an_epoch_are_no_epoch(study, tmp_path, scores):
    card, _ = ended(study, tmp_path / "run", scores)
    assert card["best_epoch"] >= 1


def test_students_end_no_lower_than_they_start(rows):
    for name in STUDENTS:
        start = rows[name]["start"]
        assert start == "parent" or rows[name]["dev"]["score"] >= rows[name]["starts"][start] - 1e-9
