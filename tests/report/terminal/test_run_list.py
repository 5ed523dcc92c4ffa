"""Past runs."""

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from dfwe.errors import DataError
from dfwe.report.command import main
from dfwe.report.terminal.run_list import list_runs


def lines(*folders):
    console = Console(width=200, record=True, file=io.StringIO(), markup=False)  # as `terminal` has it
    console.print(list_runs(folders))
    return [line.strip() for line in console.export_text().splitlines()[3:] if line.strip()]


def test_the_newest_run_comes_first_with_its_headline_numbers(plain, tmp_path):
    plain("2026-01-02/03-04-05_t_ties_s0", seed=4)
    plain("2026-01-02/13-00-00")
    first, _, _, second, sources, where = lines(tmp_path)
    assert first.split() == ["2026-01-02", "13:00", "t,", "ties,", "seed", "0", "50.0", "+10.0"]
    assert second.split() == ["2026-01-02", "03:04", "t,", "ties,", "seed", "4", "50.0", "+10.0"]
    assert sources.split() == ["from", "a", "+6.0", "to", "+14.0"]
    assert where.endswith("2026-01-02/03-04-05_t_ties_s0")


def test_an_interval_stands_below_its_difference(plain, tmp_path):
    plain("2026-01-01/00-00-00")
    assert lines(tmp_path)[1].endswith("+6.0 to +14.0")


def test_broken_folders_are_a_line(plain, tmp_path):
    plain("2026-01-01/00-00-03", format=1)
    (plain("2026-01-01/00-00-02") / "results.json").write_text("{")
    (tmp_path / "2026-01-01" / "00-00-01" / ".hydra").mkdir(parents=True)
    found = lines(tmp_path)
    assert "(another format: run its command again)" in found[0]
    assert "(results cannot be read)" in found[2]
    assert len(found) == 4


def test_runs_without_results_are_passed_over_with_their_number(plain, tmp_path):
    plain("2026-01-01/00-00-03")
    for name in ("00-00-01", "00-00-02"):
        (tmp_path / "2026-01-01" / name / ".hydra").mkdir(parents=True)
    assert list_runs([tmp_path]).table.caption == (
        "1 run; passed over: 2 folders without results: failed, broken off, or only planned"
    )


ODD = {
    "a part is missing": lambda text: text.replace('"sources"', '"other"'),
    "a score is a word": lambda text: text.replace('{"score": 0.5}', '{"score": "many"}'),
    "models are a number": lambda text: json.dumps(json.loads(text) | {"models": 3}),
    "headline is null": lambda text: json.dumps(json.loads(text) | {"headline": None}),
    "nested": lambda text: "[" * 5000,
    "NaN": lambda text: text.replace("0.5", "NaN"),
    "no object": lambda text: "[]",
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_results_are_a_line_and_the_others_are_shown(plain, tmp_path, odd):
    path = plain("2026-01-01/00-00-01") / "results.json"
    path.write_text(ODD[odd](path.read_text()))
    plain("2026-01-01/00-00-02")
    text = " ".join(lines(tmp_path))
    assert "t, ties, seed 0" in text
    assert "cannot be read" in text or "another format" in text


def test_a_pipe_a_link_and_a_folder_of_that_name_are_a_line(plain, tmp_path):
    for name, make in {"1": os.mkfifo, "2": Path.mkdir, "3": lambda path: path.symlink_to("nowhere")}.items():
        (tmp_path / f"00-00-0{name}" / ".hydra").mkdir(parents=True)
        make(tmp_path / f"00-00-0{name}" / "results.json")
    found = lines(tmp_path)
    assert len([line for line in found if "(results cannot be read)" in line]) == 3


def test_a_folder_named_by_a_day_that_never_was_is_shown(plain, tmp_path):
    plain("2026-02-30/03-04-05")
    assert "t, ties, seed 0" in lines(tmp_path)[0]


def test_an_undefined_score_and_markup_in_names_are_shown(plain, tmp_path):
    folder = plain("2026-01-01/00-00-00", target="[red]x")
    text = (folder / "results.json").read_text().replace('"test": {"score": 0.5}', '"test": {"score": null}')
    (folder / "results.json").write_text(text)
    line = lines(tmp_path)[0]
    assert "[red]x" in line
    assert "undefined" in line


def test_the_store_is_passed_over(plain, tmp_path):
    plain("store/train-1")
    plain("2026-01-01/00-00-00")
    assert len(lines(tmp_path)) == 3


def test_job_ten_of_a_sweep_is_found(plain, tmp_path):
    for job in ("2", "10"):
        plain(f"2026-01-01/00-00-00/{job}")
    assert [line.rsplit("/", 1)[1] for line in lines(tmp_path)[2::3]] == ["2", "10"]


def test_the_command_lists_and_a_missing_folder_is_an_error(plain, tmp_path, capsys, monkeypatch):
    plain("outputs/2026-01-01/00-00-00")
    monkeypatch.chdir(tmp_path)
    assert main(["list"]) == 0
    assert "1 run" in capsys.readouterr().out
    with pytest.raises(DataError, match="nowhere is not a folder: expected one that holds runs"):
        list_runs([tmp_path / "nowhere"])


def test_list_of_several_tasks_shows_the_best_merge_on_dev(plain, tmp_path):
    def merge(name, dev):
        scores, sure = {"score": dev, "tasks": {"SST": dev}}, {"delta": -0.05, "delta_interval": [-0.1, 0.0]}
        return {"name": name, "kind": "merge", "dev": scores, "test": scores, "differences": {}, **sure}

    models = [merge("soup", 0.4), merge("fisher", 0.6)]
    plain("2026-01-01/00-00-00", kind="multitask", columns={"SST": "sst"}, models=models)
    first, second = lines(tmp_path)[:2]
    assert first.split()[-2:] == ["60.0", "-5.0"]
    assert "models with heads, fisher" in first
    assert second.endswith("-10.0 to +0.0")
