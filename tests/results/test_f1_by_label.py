"""F1 by label in a study's results."""

import json

import pytest
from sklearn.metrics import f1_score

from dfwe.config.tasks import load_task
from dfwe.results.details import class_results


def test_each_models_f1_is_that_of_its_answers(ran):
    folder, _, _ = ran
    results, found = (json.loads((folder / name).read_text()) for name in ("results.json", "test_predictions.json"))
    (classes,) = results["classes"].values()
    gold, labels = [each[0] for each in found["gold"]], found["task"]["labels"]
    assert list(results["classes"]) == ["meld"]
    assert list(classes["f1"]) == list(found["models"])
    assert classes["gold"] == {label: gold.count(label) for label in labels}
    for name, answers in found["models"].items():
        expected = f1_score(gold, answers, labels=labels, average=None, zero_division=0.0)
        assert [value or 0.0 for value in classes["f1"][name].values()] == pytest.approx(list(expected))


def test_an_answer_that_names_several_relations_counts_for_each():
    task = load_task("relation_extraction")
    names = {code: name for metric in task.scorer.metrics.values() for code, name in metric.names.items()}
    answer = f"{names['per:friends']} and {names['per:roommate']}"
    found = class_results(task, answers={"m": [answer]}, references=[("per:friends",)])
    assert found["gold"]["per:friends"] == 1
    assert found["f1"]["m"]["per:friends"] == 1.0
    assert found["f1"]["m"]["per:roommate"] == 0.0
    assert found["f1"]["m"]["per:pet"] is None


def test_free_text_has_no_labels():
    assert class_results(load_task("question_answering"), answers={"m": ["a"]}, references=[("a",)]) == {}
