"""The command: CSV, TSV, JSON lines and plain lines in and out, from files and the standard input."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import threading

import pytest

from dfwe.predict.command import main


@pytest.fixture
def predict(folder, capsys):
    """A function from arguments to what the command prints."""

    def run(*arguments, **changes):
        code = main(["--model", str(folder(**changes)), *map(str, arguments)])
        out, err = capsys.readouterr()
        assert code == (2 if err else 0), err
        return out or err

    return run


def piped(monkeypatch, text):
    stream = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr(sys, "stdin", stream)


CSV = 'id,text\nr1,"A warm, ""good"" kettle."\nr2,A cold kettle.\n'
TSV = 'id\ttext\nr1\t"A warm, ""good"" kettle."\nr2\tA cold kettle.\n'
JSONL = '{"id": "r1", "text": "A warm, \\"good\\" kettle."}\n{"id": "r2", "text": "A cold kettle."}\n'


def write(path, text):
    path.write_text(text)
    return path


def test_each_form_of_file_has_the_same_answers_in_its_own_form(predict, tmp_path):
    for name, text in (("x.csv", CSV), ("x.tsv", TSV), ("x.jsonl", JSONL)):
        (tmp_path / name).write_text(text)
    rows = list(csv.DictReader(io.StringIO(predict(tmp_path / "x.csv"))))
    assert [list(row) for row in rows] == [["instance_id", "prediction"]] * 2
    lines = [json.loads(line) for line in predict(tmp_path / "x.jsonl").splitlines()]
    tabbed = list(csv.DictReader(io.StringIO(predict(tmp_path / "x.tsv")), delimiter="\t"))
    assert rows == lines == tabbed
    (tmp_path / "x.txt").write_text('A warm, "good" kettle.\n\nA cold kettle.\n')
    assert predict(tmp_path / "x.txt").split() == [row["prediction"] for row in rows]
    (tmp_path / "x.txt").write_bytes(b'A warm, "good" kettle.\r\nA cold kettle.\r\n')
    assert predict(tmp_path / "x.txt").split() == [row["prediction"] for row in rows]


def test_rows_without_an_id_are_named_by_their_line(predict, tmp_path):
    (tmp_path / "new.csv").write_text("text\nA cup.\nA lid.\n")
    assert [line.split(",")[0] for line in predict(tmp_path / "new.csv").splitlines()] == [
        "instance_id",
        "new-2",
        "new-3",
    ]


def test_probabilities_are_columns_or_an_object(predict, tmp_path):
    (tmp_path / "x.csv").write_text(CSV)
    rows = list(csv.DictReader(io.StringIO(predict(tmp_path / "x.csv", "--probabilities"))))
    assert list(rows[0]) == ["instance_id", "prediction", "p_good", "p_bad"]
    (tmp_path / "x.jsonl").write_text(JSONL)
    lines = [json.loads(line) for line in predict(tmp_path / "x.jsonl", "--probabilities").splitlines()]
    assert [float(row["p_good"]) for row in rows] == [line["probabilities"]["good"] for line in lines]


def test_the_standard_input_is_csv_or_json_lines_as_it_begins(predict, monkeypatch):
    piped(monkeypatch, CSV)
    rows = list(csv.DictReader(io.StringIO(predict())))
    piped(monkeypatch, JSONL)
    lines = [json.loads(line) for line in predict("-").splitlines()]
    assert [row["prediction"] for row in rows] == [each["prediction"] for each in lines]
    piped(monkeypatch, "A cup.\nA lid.\n")
    assert len(predict("--format", "txt").splitlines()) == 2


def test_answers_go_to_a_file_in_the_form_of_its_name(predict, tmp_path):
    (tmp_path / "x.csv").write_text(CSV)
    (tmp_path / "out.jsonl").write_text("what was there before")
    assert predict(tmp_path / "x.csv", "--out", tmp_path / "out.jsonl") == ""
    assert [json.loads(line)["instance_id"] for line in (tmp_path / "out.jsonl").open()] == ["r1", "r2"]


def test_tables_are_read_as_fit_reads_them(predict, tmp_path, asking):
    answers = predict(write(tmp_path / "x.csv", CSV))
    assert predict(write(tmp_path / "x.csv", CSV.replace(",", ";").replace("warm;", "warm,"))) == answers
    (tmp_path / "x.csv").write_bytes("text\nA caf\xe9.\nA lid.\n".encode("latin-1"))
    assert predict(tmp_path / "x.csv", "--encoding", "latin-1").count("\n") == 3
    mood = asking["tasks"]["mood"]
    prompt = {**mood["prompt"], "context": "{tweet_text}"}  # which fit makes of a column with a point
    write(tmp_path / "x.csv", CSV.replace("text", "tweet.text"))
    assert predict(tmp_path / "x.csv", tasks={"mood": {**mood, "prompt": prompt}}).count("\n") == 3


def test_a_txt_file_with_a_header_is_a_table(predict, tmp_path):
    answers = predict(write(tmp_path / "x.csv", CSV))
    assert predict(write(tmp_path / "x.txt", TSV)) == answers
    assert predict(tmp_path / "x.txt", "--format", "txt").count("\n") == 3
    assert predict(write(tmp_path / "x.txt", "A text, a lid\nA cup\n")).count("\n") == 2
    write(tmp_path / "x.txt", "word " * 40_000)
    assert predict(tmp_path / "x.txt").count("\n") == 1


def test_quotes_are_read_as_in_the_train_table(predict, tmp_path):
    path = write(
        tmp_path / "x.tsv", 'id,text\nr1,"A cup\nr2,A lid\nr3,A pan"\n'
    )  # separated by commas, as fit may have it
    assert predict(path, quoting={"moods": False}).count("\n") == 4
    write(path, "id\ttext, cleaned\nr1\tA cup\n")
    assert "no column 'text', which moods needs: it has 'id', 'text, cleaned'" in predict(path)


def test_a_label_that_nobody_asks_for_may_be_wrong(predict, tmp_path):
    write(tmp_path / "x.csv", "text,mood\nA cup.,good\nA lid.,NA\nA pan.,\n")
    assert predict(tmp_path / "x.csv").count("\n") == 4


def test_rows_that_a_stray_quote_merges_are_warned_of(folder, tmp_path, capsys):
    path = write(tmp_path / "x.csv", 'text,mood\n"A cup,good\nA lid,bad\nA pan",good\nA pot,bad\n')
    assert main(["--model", str(folder()), str(path)]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 3
    assert err.startswith(f"warning: 1 of 2 rows are odd: {path}, line 2: the record goes on to line 4")


def test_lines_of_text_have_no_room_for_probabilities(predict, tmp_path):
    assert "add --json" in predict(write(tmp_path / "x.txt", "A cup.\n"), "--probabilities")


def test_turns_of_a_dialogue_may_stand_in_a_table(predict, tmp_path):
    (tmp_path / "x.csv").write_text("dialogue_id,speaker,utterance\nd1,Ann,I am glad.\nd1,Bob,That makes me furious.\n")
    names = [line.split(",")[0] for line in predict(tmp_path / "x.csv", target="meld").splitlines()]
    assert names == ["instance_id", "d1_t0", "d1_t1"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "note\nA cup.\n", "x.csv, line 2 has no column 'text', which moods needs: it has 'note'"),
        ("x.csv", "id,text\nr1\n", "x.csv, line 2: 1 field, expected 2"),
        ("x.csv", "id,text\nr1, \n", "x.csv, line 2: column 'text' is empty"),
        ("x.csv", "text\n", "x.csv has no rows below its header"),
        ("x.csv", "", "x.csv is empty"),
        ("x.jsonl", "", "x.jsonl is empty"),
        ("x.jsonl", "{\n[]\n", "x.jsonl, line 1: .*broken JSON.*and 1 more broken rows"),
        ("x.jsonl", '{"note": 1}\n', "has no column 'text', which moods needs: it has 'note'"),
        ("x.txt", "\n", "x.txt holds no questions"),
        ("x.txt", b"\xff\xfe\n", "x.txt, line 1: not utf-8 text"),
    ],
)
def test_a_file_that_cannot_be_asked_about_is_one_line(predict, tmp_path, name, text, message):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    err = predict(tmp_path / name)
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err


def test_a_file_that_is_missing_and_a_broken_pipe_are_named(predict, tmp_path, monkeypatch):
    assert "nothing.csv: name a file of questions" in predict(tmp_path / "nothing.csv")
    piped(monkeypatch, "id,text\nr1\n")
    assert predict().startswith("error: stdin, line 2: 1 field, expected 2")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(("text", "answer"), [(CSV, "\nr1,"), ("id,text\nr1\n", "x.csv, line 2: 1 field")])
def test_a_pipe_is_read_once(predict, tmp_path, text, answer):
    os.mkfifo(tmp_path / "x.csv")
    writer = threading.Thread(target=write, args=(tmp_path / "x.csv", text), daemon=True)
    writer.start()
    assert answer in predict(tmp_path / "x.csv")
    writer.join()


def test_dialogues_that_are_broken_are_named(predict, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"dialogue_id": "d1", "dialogue": [{"utterance": "x", "speakers": "Ann"}]}\n')
    err = predict(tmp_path / "x.jsonl", target="meld")
    assert "x.jsonl, line 1: turn 0 of dialogue 'd1' needs 'speakers', a list of names, not the text 'Ann'" in err


def test_answering_imports_nothing_that_only_training_needs(folder, tmp_path):
    (tmp_path / "x.txt").write_text("A cup.\n")
    code = (
        "import sys; from dfwe.predict.command import main; "
        f"assert main(['--model', {str(folder())!r}, {str(tmp_path / 'x.txt')!r}]) == 0; "
        "heavy = {'pytorch_lightning', 'datasets', 'nevergrad', 'wandb', 'matplotlib', 'ray', 'rich'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
