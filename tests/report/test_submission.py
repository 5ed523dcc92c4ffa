"""The benchmark's submission."""

import csv
import io
import zipfile
from dataclasses import replace

import pytest
from rich.console import Console, Group

from dfwe.errors import DataError
from dfwe.report.submission import FETA, TaskPredictions, check_submission, submission_table, write_submission
from dfwe.report.terminal.console import FittedTable


def rows(path, task, file="predictions.csv"):
    with zipfile.ZipFile(path) as archive:
        text = archive.read(f"{task}/{file}").decode()
    return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "submission.zip"


def test_a_submission_has_two_files_for_each_of_seven_tasks(answered, out):
    tasks = write_submission([answered(task) for task in reversed(FETA)], out=out)
    assert [task.task for task in tasks] == list(FETA)
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == [f"{t}/{f}.csv" for t in FETA for f in ("baseline_predictions", "predictions")]
        assert archive.read("MELD_emotion_recognition/predictions.csv") == b"s1_a,6\ns1_b,6\n"
    assert rows(out, "personality_detection") == [("s1_a", "1"), ("s1_b", "1")]
    assert sorted(path.name for path in out.parent.glob("*.zip*")) == ["submission.zip"]


def test_files_hold_the_baseline_and_the_named_model(study, out):
    answers = {"baseline": ["0"], "uniform": ["0"], "nelder_mead": ["1"]}
    path = study("personality_detection", ["s1"], scores=(0.1, 0.2, 0.3), **answers)
    (asked,) = write_submission([path], out=out, partial=True)
    assert (asked.model, asked.baseline, asked.transfer) == ("nelder_mead", 0.1, 0.3)
    assert rows(out, "personality_detection", "baseline_predictions.csv") == [("s1", "0")]
    assert rows(out, "personality_detection") == [("s1", "1")]
    (named,) = write_submission([path], out=out, model="uniform", partial=True)
    assert named.delta == pytest.approx(0.1)
    assert rows(out, "personality_detection") == [("s1", "0")]


@pytest.mark.parametrize(
    "text", ['"Well", he said, ""', "one\ntwo", "one\r\ntwo", "one\rtwo", "", " a ", "naïve…", "'"]
)
def test_texts_survive_the_file(study, out, text):
    path = study("question_answering", ["s1, a", "s2"], baseline=[text, "x"], merged=["x", text])
    write_submission([path], out=out, partial=True)
    assert rows(out, "question_answering") == [("s1, a", "x"), ("s2", text)]


def test_relations_are_37_numbers_in_the_order_of_the_labels(study, out):
    answers = ["name C; and name A;", "nothing of the kind"]
    path = study("relation_extraction", ["r1", "r2"], baseline=answers, merged=answers)
    write_submission([path], out=out, partial=True)
    first, second = (prediction for _, prediction in rows(out, "relation_extraction"))
    assert first == "[1.0 0.0 1.0" + " 0.0" * 34 + "]"
    assert second == "[1.0" + " 0.0" * 36 + "]"  # the metric's default label


def test_answer_without_a_label_is_written_as_the_first(study, out):
    path = study("emory_emotion_recognition", ["a", "b"], baseline=["Sad", "sad"], merged=["", "mad "])
    (task,) = write_submission([path], out=out, partial=True)
    assert rows(out, "emory_emotion_recognition", "baseline_predictions.csv") == [("a", "0"), ("b", "5")]
    assert task.num_no_label == 3
    assert any("3 answers are not labels" in warning for warning in task.warnings())


def test_an_id_that_the_test_split_repeats_is_repeated(study, out):
    path = study("personality_detection", ["s1_open", "s1_open"], baseline=["0", "1"], merged=["1", "0"])
    (task,) = write_submission([path], out=out, partial=True)
    assert rows(out, "personality_detection") == [("s1_open", "1"), ("s1_open", "0")]
    assert "personality_detection: 1 rows repeat an id, as the test split does" in list(task.warnings())


def test_unofficial_test_set_is_a_warning(study, out):
    ids = [f"s{number}" for number in range(550)]
    path = study("personality_detection", ids, baseline=["0"] * 550, merged=["1"] * 550)
    (task,) = write_submission([path], out=out, partial=True)
    assert list(task.warnings()) == []
    fewer = replace(task, instance_ids=tuple(ids[:-1]))
    assert list(fewer.warnings()) == [
        "personality_detection: 549 test instances, the official test set has 550: not comparable"
    ]


def test_missing_tasks_are_an_error_unless_partial(answered, out):
    paths = [answered(task) for task in list(FETA)[:6]]
    with pytest.raises(DataError, match="has all seven tasks, missing: MELD_emotion_recognition; --partial"):
        write_submission(paths, out=out)
    assert not out.exists()
    assert len(write_submission(paths, out=out, partial=True)) == 6


def test_two_studies_of_one_task_are_an_error(answered, out):
    paths = [answered("question_answering"), answered("question_answering", name="again")]
    with pytest.raises(DataError, match="two studies of question_answering, .*question_answering and .*again"):
        write_submission(paths, out=out, partial=True)


def test_another_task_or_other_labels_are_an_error(study, out):
    with pytest.raises(DataError, match="'sst' is not one of FETA-Friends' tasks: emory_emotion_recognition"):
        write_submission([study("sst", ["a"], baseline=["yes"], merged=["no"])], out=out)
    path = study("question_answering", ["a"], baseline=["x"], merged=["x"])
    file = path / "test_predictions.json"
    file.write_text(file.read_text().replace('"labels": []', '"labels": ["x"]'))
    with pytest.raises(DataError, match="kind text and 0 labels, found text and 1: the task's YAML was changed"):
        write_submission([path], out=out)


def test_unknown_model_is_an_error_naming_the_choice(study, out):
    path = study("question_answering", ["a"], baseline=["x"], merged=["x"])
    with pytest.raises(DataError, match="no model 'best': choose --model among baseline, merged"):
        write_submission([path], out=out, model="best", partial=True)
    alone = study("question_answering", ["a"], name="alone", scores=(0.5,), baseline=["x"])
    with pytest.raises(DataError, match="no merge scored against the baseline"):
        write_submission([alone], out=out, partial=True)
    without = study("question_answering", ["a"], name="without", scores=(0.5,), merged=["x"])
    with pytest.raises(DataError, match="has no baseline"):
        write_submission([without], out=out, partial=True)


@pytest.mark.parametrize(
    "text", ["s1_a,1\n", "s1_b,1\ns1_a,1\n", "s1_a,1\ns1_a,1\n", "s1_a,1\ns1_b\n", "s1_a,1\ns1_b,2\n"]
)
def test_the_check_finds_a_damaged_file(answered, out, text):
    tasks = write_submission([answered("personality_detection")], out=out, partial=True)
    with zipfile.ZipFile(out, "w") as archive:
        for name in tasks[0].files:
            archive.writestr(f"personality_detection/{name}", text)
    with pytest.raises(DataError, match=r"predictions\.csv does not have the ids of the test split"):
        check_submission(tasks, path=out)


def test_the_check_finds_a_missing_and_a_foreign_file(answered, out):
    tasks = write_submission([answered("question_answering")], out=out, partial=True)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("notes.txt", "")
    with pytest.raises(DataError, match=r"must hold question_answering/.*found.*notes\.txt"):
        check_submission(tasks, path=out)


def test_the_same_studies_give_the_same_bytes(answered, out, tmp_path):
    paths = [answered(task) for task in FETA]
    write_submission(paths, out=out)
    write_submission(paths, out=tmp_path / "again" / "submission.zip")
    assert out.read_bytes() == (tmp_path / "again" / "submission.zip").read_bytes()


def predictions(name, *, baseline, transfer):
    files = {"baseline_predictions.csv": ("0",), "predictions.csv": ("1",)}
    return TaskPredictions(name, "merged", ("a",), files, baseline, transfer, 0)


def text(tasks):
    console = Console(file=io.StringIO(), width=140)
    table = submission_table(tasks)
    console.print(Group(FittedTable(table), table.notes))
    return " ".join(console.file.getvalue().split())


def test_table_has_scores_means_and_the_submission_score():
    shown = text(
        [
            predictions("emory_emotion_recognition", baseline=0.30, transfer=0.36),
            predictions("question_answering", baseline=0.50, transfer=0.48),
        ]
    )
    assert "emory_emotion_recognition 1 merged 30.00 36.00 +6.00" in shown
    assert "question_answering 1 merged 50.00 48.00 -2.00" in shown
    assert "mean of 2 tasks 40.00 42.00 +2.00" in shown
    assert "delta + 0.1 x baseline, of 2 tasks alone, without reading_comprehension, " in shown
    assert shown.endswith(": 6.00")  # 2 + 0.1 * 40


def test_table_of_all_seven_tasks_says_so():
    assert "of all seven tasks: 6.00" in text([predictions(name, baseline=0.4, transfer=0.42) for name in FETA])
