"""Copies of results without texts and places."""

import json

import pytest

from dfwe.report.command import main
from dfwe.report.sweep.collect import collect, without_folders
from dfwe.report.sweep.report import read_sweep
from dfwe.report.sweep.rows_table import rows_table


def copies(folder, into):
    return [path.relative_to(into).as_posix() for path in collect([folder], into=into)[0]]


def test_copies_are_named_by_target_and_seed(study, folder_of, tmp_path):
    commands = ["python -m dfwe.run experiment=mine seed=0 paths.store=/tmp/x", "python data.shots=0.1 seed=1"]
    studies = [study(seed=seed, command=command) for seed, command in enumerate(commands)]
    assert copies(folder_of(*studies), tmp_path / "out") == ["meld/seed_0.json", "meld/seed_1_data.shots-0.1.json"]


def test_tables_of_copies_are_those_of_the_runs(study, folder_of, tmp_path):
    folder = folder_of(*(study(seed=seed, same_compute=0.45, command=f"python seed={seed}") for seed in (0, 1)))
    collect([folder], into=tmp_path / "out")
    assert rows_table(read_sweep(tmp_path / "out").rows).rows == rows_table(read_sweep(folder).rows).rows


def test_a_study_replaces_its_copy_and_another_gets_a_number(study, folder_of, tmp_path):
    studies = [
        study(command="python merge=ties"),
        study(command="python merge=ties"),
        study(command="python merge=dare"),
    ]
    assert copies(folder_of(*studies), tmp_path / "out") == ["meld/seed_0.json"] * 2 + ["meld/seed_0_2.json"]


def test_a_study_of_other_data_gets_a_number(study, folder_of, tmp_path):
    studies = [study(command=f"python data.root=/v{number}/friends") for number in (1, 2)]
    studies[1]["data"]["tasks"]["meld"]["corpus"] = "another"
    assert copies(folder_of(*studies), tmp_path / "out") == ["meld/seed_0.json", "meld/seed_0_2.json"]


def test_what_has_no_copy_is_told(study, folder_of, tmp_path, capsys):
    folder = folder_of(study(), study(seed=1))
    (folder / "1" / "results.json").write_text("{")
    assert main(["sweep", str(folder), "--collect", str(tmp_path / "out")]) == 0
    assert "left out: " in capsys.readouterr().err


def test_copies_have_no_texts_of_the_corpus(study, folder_of, tmp_path):
    results = study() | {"examples": {"fixed": [{"source": "a line of a dialogue"}]}}
    results["data"]["tasks"]["meld"] |= {"bad_rows": ["a line of a dialogue"], "odd_rows": ["a line of a dialogue"]}
    ((copy,), _) = collect([folder_of(results)], into=tmp_path / "out")
    assert "dialogue" not in copy.read_text()
    assert json.loads(copy.read_text())["data"]["tasks"]["meld"] == {"corpus": "abc", "shots": "all"}


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("data.root=/tmp/a_b/friends seed=0", "data.root=friends seed=0"),
        ("experts=[/a/b,../c/d,~/e]", "experts=[b,d,e]"),
        ("/tmp/data-97/TLiDB_Friends", "TLiDB_Friends"),
        ("org/model", "org/model"),
        ("F1/accuracy and 3/4", "F1/accuracy and 3/4"),
        ("https://example.org/a/b", "https://example.org/a/b"),
    ],
)
def test_paths_are_cut_to_their_last_names(words, kept):
    assert without_folders({"key": [words]}) == {"key": [kept]}


def test_tasks_and_labels_of_any_name_are_copied(study, folder_of, tmp_path):
    results = study()
    results["data"]["tasks"]["search"] = {"corpus": "abc", "shots": "all", "classes": {"root": 3, "/joy": 4}}
    ((copy,), _) = collect([folder_of(results)], into=tmp_path / "out")
    assert json.loads(copy.read_text())["data"]["tasks"]["search"]["classes"] == {"root": 3, "/joy": 4}


def test_the_command_reports_what_the_folder_then_holds(study, folder_of, tmp_path, capsys):
    for seed in (0, 1):
        folder = folder_of(study(seed=seed, command=f"python seed={seed}"), name=f"sweep{seed}")
        assert main(["sweep", str(folder), "--collect", str(tmp_path / "out")]) == 0
    assert "Every row over targets and seeds" in capsys.readouterr().out
    assert main(["sweep", str(tmp_path / "out")]) == 0
    assert main(["page", str(tmp_path / "out")]) == 0


def test_copies_can_be_copied(study, folder_of, tmp_path):
    folder = folder_of(study(command="python data.shots=0.1"))
    collect([folder], into=tmp_path / "one")
    assert copies(tmp_path / "one", tmp_path / "two") == ["meld/seed_0_data.shots-0.1.json"]


def test_a_broken_copy_is_named(tmp_path, capsys):
    (tmp_path / "seed_0.json").write_text("{")
    assert main(["sweep", str(tmp_path)]) == 2
    assert "seed_0.json, line 1, column 2: broken JSON" in capsys.readouterr().err
