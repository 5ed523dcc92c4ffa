import json
import subprocess
import sys

import pytest

from dfwe.data.show import main


def show(root, capsys, *options):
    code = main(["--root", str(root), *options])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize("task", ["meld", "MELD_emotion_recognition"])
def test_show_prints_instances_in_file_order(write, data, capsys, task):
    code, out, _ = show(write(data), capsys, "--task", task, "--split", "train", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["instance_id"] for line in lines] == ["d1_t0", "d1_t3"] * 2
    assert lines[0] == {
        "instance_id": "d1_t0",
        "source": "context: Ada Pike: The kettle is cold. emotion:",
        "target": "sadness",
    }


@pytest.mark.parametrize(
    ("task", "target"),
    [
        ("question_answering", ["a cake", "cake", "The kettle"]),
        ("reading_comprehension", "the aunt"),
        ("relation_extraction", "other family and age"),
        ("personality", "0"),
        ("character_identification", "other"),
    ],
)
def test_show_target_is_text_or_alternatives(write, data, capsys, task, target):
    _, out, _ = show(write(data), capsys, "--task", task, "--split", "train", "--json")
    assert json.loads(out.splitlines()[0])["target"] == target


def test_one_answer_is_a_list_too(write, data, capsys):
    del data["data"][0]["question_answering"][0]["qas"][0]["answers"][1:]
    _, out, _ = show(write(data), capsys, "--task", "question_answering", "--split", "train", "--json")
    assert json.loads(out.splitlines()[0])["target"] == ["a cake"]


def test_the_context_is_limited(write, data, capsys):
    root = write(data)
    options = ("--task", "meld", "--split", "train", "--json", "--max-words")
    _, short, _ = show(root, capsys, *options, "9")
    _, whole, _ = show(root, capsys, *options, "0")
    assert json.loads(short.splitlines()[1])["source"].startswith("context: Ben Lowe: My aunt")
    assert json.loads(whole.splitlines()[1])["source"].startswith("context: Ada Pike: The kettle")


def test_without_json_it_is_readable(write, data, capsys):
    code, out, _ = show(write(data), capsys, "--task", "question_answering", "--split", "train")
    assert code == 0
    assert "d1_What\n  source: context: Ada Pike:" in out
    assert "  target: a cake | cake | The kettle\n" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "mled", "--split", "train"), "unknown task 'mled'"),
        (("--task", "question_answering", "--split", "dev"), "the dev split of"),
        (("--task", "meld", "--split", "train", "--shots", "1.5"), "shots must be"),
    ],
)
def test_show_user_error_is_one_line_with_exit_code_2(write, data, capsys, options, message):
    code, out, err = show(write(data), capsys, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_it_runs_as_a_module_without_a_traceback(tmp_path):
    command = [
        sys.executable,
        "-m",
        "dfwe",
        "data",
        "show",
        "--root",
        str(tmp_path),
        "--task",
        "meld",
        "--split",
        "dev",
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: ")
    assert "Traceback" not in finished.stderr


def test_a_users_task_is_shown_from_its_own_files(my_conf, my_files, capsys):
    options = ("--config-dir", str(my_conf), "--task", "mood", "--split", "test", "--json", "--shots", "2")
    code, out, _ = show(my_files, capsys, *options)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, len(lines)) == (0, 5)  # the test split is whole, whatever the shots
    assert {line["target"] for line in lines} <= {"good", "bad"}
    assert all(line["source"].endswith(" mood:") for line in lines)


def test_show_warns_of_invalid_rows(my_conf, my_files, capsys):
    with (my_files / "mood.csv").open("a") as file:
        file.write("The last kettle.,fine\n")
    code, _, err = show(my_files, capsys, "--config-dir", str(my_conf), "--task", "mood", "--split", "train")
    assert code == 0
    assert "1 of 23 rows left out" in err
    assert "mood.csv, line 24: unknown label 'fine'" in err
