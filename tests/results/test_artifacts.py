"""What a study leaves for reports."""

import json
import zipfile

import pytest

from dfwe.config.tasks import load_task
from dfwe.report.submission import FETA, write_submission
from dfwe.results.artifacts import answer_format
from dfwe.studies.plan import plan_study


def test_the_run_folder_holds_every_models_answers_on_test(ran):
    folder, _, config = ran
    study = plan_study(config)
    found = json.loads((folder / "test_predictions.json").read_text())
    instances = study.family.context.data.instances(study.target, split="test")
    assert found["instance_ids"] == [instance.instance_id for instance in instances]
    assert list(found["models"]) == list(study.evaluations)
    for name, stage in study.evaluations.items():
        assert tuple(found["models"][name]) == stage.evaluation(stage.result(study.family.context.store)).predictions
    assert found["gold"] == [list(instance.references) for instance in instances]
    assert found["task"]["kind"] == "label"
    assert found["task"]["labels"] == list(study.target.labels)


def test_a_run_becomes_a_submission_with_the_studys_own_scores(ran, tmp_path):
    folder, _, _ = ran
    out = tmp_path / "submission.zip"
    (task,) = write_submission([folder], out=out, partial=True)
    rows = {row["name"]: row["test"]["score"] for row in json.loads((folder / "results.json").read_text())["models"]}
    assert (task.baseline, task.transfer) == (rows["baseline"], rows["nelder_mead"])
    with zipfile.ZipFile(out) as archive:
        lines = archive.read("MELD_emotion_recognition/predictions.csv").decode().splitlines()
    found = json.loads((folder / "test_predictions.json").read_text())
    labels = found["task"]["labels"]
    answers = zip(found["instance_ids"], found["models"]["nelder_mead"], strict=True)
    assert lines == [f"{instance_id},{labels.index(answer)}" for instance_id, answer in answers]
    assert task.num_no_label == 0


def test_relations_are_understood_by_their_names_and_default():
    task = answer_format(load_task("relation_extraction"))
    assert (task["kind"], len(task["labels"]), list(task["names"])) == ("relations", 37, task["labels"])
    assert (task["default"], task["whole_words"]) == ("per:positive_impression", False)


@pytest.mark.parametrize("name", list(FETA))
def test_every_task_is_understood_as_the_benchmark_expects(name):
    task = answer_format(load_task(name))
    assert (task["name"], (task["kind"], len(task["labels"]))) == (name, FETA[name])
