import json
import subprocess
import sys

import pytest

from dfwe.score import main

SHORT_NAMES = (
    "character_identification",
    "emory_emotion",
    "meld",
    "personality",
    "question_answering",
    "reading_comprehension",
    "relation_extraction",
)


@pytest.fixture
def score(tmp_path, capsys):
    def _score(task, *cases):
        path = tmp_path / "cases.jsonl"
        path.write_text("".join(f"{case if isinstance(case, str) else json.dumps(case)}\n" for case in cases))
        code = main(["--task", task, str(path)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return _score


def case(prediction, *references):
    return {"prediction": prediction, "references": list(references)}


@pytest.mark.parametrize("task", ["meld", "MELD_emotion_recognition"])
def test_metrics_and_their_mean_are_printed_as_one_object(score, task):
    code, out, err = score(task, case("joy", "joy"), case("joy", "anger"), case("glee", "anger"), case("fear", "fear"))
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["task"] == "MELD_emotion_recognition"
    assert report["n"] == 4
    # weighted: joy 2/3 and fear 1 with one gold example each, anger 0 with two
    assert report["metrics"] == pytest.approx({"F1-micro": 0.5, "F1-weighted": (2 / 3 + 1) / 4})
    assert report["score"] == pytest.approx((0.5 + 5 / 12) / 2)


def test_spans_have_alternatives_and_relations_have_all_codes(score):
    _, out, _ = score("question_answering", case("The cake!", "a pie", "cake"))
    assert json.loads(out)["score"] == 1.0
    _, out, _ = score("relation_extraction", case("age and friends", "per:age", "per:boss"))
    assert json.loads(out)["metrics"] == {"F1-micro": 0.5}


def test_blank_lines_are_no_cases(score):
    _, out, _ = score("personality", case("0", "0"), "", case("1", "1"), "  ")
    assert json.loads(out)["n"] == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2, column 2: broken JSON"),
        ("[]", "line 2: 'prediction' must be a text"),
        ('{"prediction": 0, "references": ["joy"]}', "line 2: 'prediction' must be a text"),
        ('{"prediction": "joy", "references": "joy"}', "line 2: 'references' must be a list of texts"),
        ('{"prediction": "joy", "references": ["glee"]}', "example 2 has the gold label 'glee'"),
        ('{"prediction": "joy", "references": []}', "example 2 has no reference"),
    ],
)
def test_a_broken_line_is_one_line_on_stderr_and_exit_code_2(score, line, message):
    code, out, err = score("meld", case("joy", "joy"), line)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_an_unknown_task_lists_the_seven(score):
    code, _, err = score("mled", case("joy", "joy"))
    assert code == 2
    assert all(name in err for name in SHORT_NAMES)


def test_it_runs_as_a_module_and_says_which_file_is_missing(tmp_path):
    command = [sys.executable, "-m", "dfwe", "score", "--task", "meld", str(tmp_path / "none.jsonl")]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: ")
    assert "none.jsonl" in finished.stderr
    assert "Traceback" not in finished.stderr
