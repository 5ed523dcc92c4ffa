"""Answers of a study are read back and checked."""

import json

import pytest

from dfwe.errors import DataError
from dfwe.report.submission import StudyPredictions


def change(path, file, **changes):
    content = json.loads((path / file).read_text())
    (path / file).write_text(json.dumps(content | changes))


def test_a_study_is_read_with_ids_answers_and_scores(answered):
    study = StudyPredictions.read(answered("MELD_emotion_recognition", answer="joy"))
    assert (study.target, study.task["kind"], study.task["labels"][3]) == ("MELD_emotion_recognition", "label", "joy")
    assert study.instance_ids == ("s1_a", "s1_b")
    assert study.answers == {"baseline": ["joy", "joy"], "merged": ["joy", "joy"]}
    assert (study.scores, study.headline_merge) == ({"baseline": 0.5, "merged": 0.625}, "merged")


@pytest.mark.parametrize("file", ["results.json", "test_predictions.json"])
def test_missing_file_is_an_error(answered, file):
    path = answered("question_answering")
    (path / file).unlink()
    with pytest.raises(DataError, match=f"holds no {file}: expected the folder of a finished run"):
        StudyPredictions.read(path)


def test_broken_json_is_an_error(answered):
    path = answered("question_answering")
    (path / "results.json").write_text("{")
    with pytest.raises(DataError, match=r"results\.json, line 1, column 2: broken JSON"):
        StudyPredictions.read(path)


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("results.json", {"target": "reading_comprehension"}, "not of the same study"),
        ("results.json", {"n": {"test": 3}}, "not of the same study"),
        ("results.json", {"models": []}, "not of the same study"),
        ("results.json", {"n": {}}, "not what a study writes .KeyError: 'test'"),
        (
            "test_predictions.json",
            {"task": {"name": "question_answering", "labels": []}},
            "not what a study writes .KeyError: 'kind'",
        ),
        ("test_predictions.json", {"models": {"baseline": ["a"], "merged": ["a", "b"]}}, "baseline must have a text"),
        ("test_predictions.json", {"models": {"baseline": [1, 2], "merged": ["a", "b"]}}, "baseline must have a text"),
    ],
)
def test_files_that_do_not_fit_are_an_error(answered, file, changes, message):
    path = answered("question_answering")
    change(path, file, **changes)
    with pytest.raises(DataError, match=message):
        StudyPredictions.read(path)
