"""`dfwe data prepare friends`: its exit codes and its output."""

import hashlib
import json

import pytest

from dfwe.data import prepare as command
from dfwe.data.friends.releases import TLIDB
from dfwe.data.prepare import main

HEADER = "Utterance,Speaker,Emotion,Dialogue_ID\n"


@pytest.fixture
def raw(tmp_path):
    """A folder with 30 short dialogues of MELD alone."""
    rows = [f"Kettle number {k} sings to its {k}th teapot.,Ada Pike,joy,{k}\n" for k in range(30)]
    (tmp_path / "raw" / "meld").mkdir(parents=True)
    (tmp_path / "raw" / "meld" / "train_sent_emo.csv").write_text(HEADER + "".join(rows))
    return tmp_path / "raw"


def digests(out):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (out / "TLiDB_Friends").iterdir()}


def test_the_command_writes_the_data_set_and_its_report(raw, tmp_path, capsys):
    assert main(["friends", "--raw", str(raw), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert "MELD: 0 of 30 matched by text (0.0%); not there: dev_sent_emo.csv, test_sent_emo.csv" in printed.out
    assert f"data=friends data.root={tmp_path / 'out'}" in printed.out
    assert printed.err == ""
    assert sorted(digests(tmp_path / "out")) == [
        "TLiDB_Friends.json",
        "TTiDB_0.1_percent_few_shot_dev_ids.txt",
        "TTiDB_0.1_percent_few_shot_train_ids.txt",
        "TTiDB_dev_ids.txt",
        "TTiDB_test_ids.txt",
        "TTiDB_train_ids.txt",
        "prepared.json",
    ]
    report = json.loads((tmp_path / "out" / "TLiDB_Friends" / "prepared.json").read_text())
    assert report["dialogues"] == {"train": 21, "dev": 5, "test": 4}


def test_a_split_file_is_used(raw, tmp_path, capsys):
    known = {"train": [], "dev": [], "test": [f"meld_train_{k:04d}" for k in range(30)]}
    (tmp_path / "split.json").write_text(json.dumps(known))
    options = ["friends", "--raw", str(raw), "--out", str(tmp_path / "out"), "--split", str(tmp_path / "split.json")]
    assert main(options) == 0
    assert "test 30 (30 by the official split)" in capsys.readouterr().out
    assert len((tmp_path / "out" / "TLiDB_Friends" / "TTiDB_test_ids.txt").read_text().split()) == 30


def test_prepare_error_is_one_line_with_exit_code_2(tmp_path, capsys):
    assert main(["friends", "--raw", str(tmp_path / "nothing"), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_prepare_command_stops_above_max_invalid_fraction(raw, tmp_path, capsys):
    with (raw / "meld" / "train_sent_emo.csv").open("a") as file:
        file.write("Hum.,Ada,glee,31\n")
    options = ["friends", "--raw", str(raw), "--out", str(tmp_path / "out")]
    assert main(options) == 2
    assert "train_sent_emo.csv, line 32: unknown label 'glee'" in capsys.readouterr().err
    assert main([*options, "--max-invalid-fraction", "0.05"]) == 0
    assert "1 of 31 rows are broken" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["friends"], ["enemies", "--out", "x"], ["friends", "--out", "x", "--what"]])
def test_wrong_options_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "see dfwe data prepare" in capsys.readouterr().err


def test_without_a_folder_the_releases_are_fetched(raw, tmp_path, capsys, monkeypatch):
    asked = []

    def fetch(releases, *, folder, on_progress):
        asked.extend(releases)
        (folder / "meld").mkdir(parents=True)
        (folder / "meld" / "train_sent_emo.csv").write_bytes((raw / "meld" / "train_sent_emo.csv").read_bytes())
        return [TLIDB]

    monkeypatch.setattr(command, "fetch_all", fetch)
    assert main(["friends", "--out", str(tmp_path / "out")]) == 0
    assert len(asked) == 34
    assert asked[-1] == TLIDB
    assert "the benchmark's own data set" not in capsys.readouterr().out


def test_the_benchmarks_own_file_is_unpacked_beside(raw, tmp_path, capsys, monkeypatch):
    unpacked = []
    monkeypatch.setattr(command, "fetch_all", lambda releases, *, folder, on_progress: raw.rename(folder) and [])
    monkeypatch.setattr(command, "unpack", lambda path, *, folder: unpacked.append((path, folder)))
    out = tmp_path / "out"
    out.mkdir()
    assert main(["friends", "--out", str(out)]) == 0
    assert unpacked == [(out / "raw" / TLIDB.path, out / "official")]
    assert f"data.root={out / 'official'}" in capsys.readouterr().out
