"""The view that compares merges."""

import json
import subprocess
import sys

import pytest

from dfwe.errors import ConfigurationError
from dfwe.report.command import main
from dfwe.report.wandb.workspace import build_workspace, specification

COMMAND = [sys.executable, "-m", "dfwe", "report", "wandb"]


@pytest.fixture
def section():
    """A function from experts to the part of the specification that says what the view shows."""
    pytest.importorskip("wandb_workspaces", reason="the extra `wandb` is not installed")

    def built(*experts):
        view = build_workspace(entity="someone", project="dfwe", experts=experts)
        return specification(view)["spec"]["section"]

    return built


def panels(section):
    return [panel for part in section["panelBankConfig"]["sections"] for panel in part["panels"]]


def test_it_shows_merges_alone_the_best_delta_first(section):
    (runs,) = section()["runSets"]
    (only,) = runs["filters"]["filters"]
    assert (only["key"]["name"], only["op"], only["value"]) == ("jobType", "=", "merge")
    (key,) = runs["sort"]["keys"]
    assert (key["key"], key["ascending"]) == ({"section": "summary", "name": "delta"}, False)
    assert {"summary:dev", "summary:test", "summary:delta"} <= set(runs["runFeed"]["columnPinned"])


def test_parallel_coordinates_go_from_origin_to_scores(section):
    (parallel,) = [panel for panel in panels(section()) if panel["viewType"] == "Parallel Coordinates Plot"]
    axes = [column["accessor"] for column in parallel["config"]["columns"]]
    assert axes[:3] == ["config:target.value", "config:sources.value", "config:model.value"]
    assert axes[-3:] == ["summary:dev", "summary:test", "summary:delta"]


def test_experts_have_axes_of_their_own(section):
    _, coefficients = [each for each in panels(section("a", "b")) if each["viewType"] == "Parallel Coordinates Plot"]
    axes = [column["accessor"] for column in coefficients["config"]["columns"]]
    assert axes == ["summary:alpha/a", "summary:alpha/b", "summary:dev", "summary:test"]


def test_it_has_every_kind_of_panel(section):
    kinds = {panel["viewType"] for panel in panels(section())}
    assert kinds >= {"Run History Line Plot", "Scatter Plot", "Bar Chart", "Parallel Coordinates Plot", "Run Comparer"}


def test_without_a_key_the_specification_is_written(section, with_key, results, study_folder):
    (study_folder / "results.json").write_text(json.dumps(results))
    without = {name: value for name, value in with_key.items() if name != "WANDB_API_KEY"}
    asked = [*COMMAND, "run", "--project", "mine"]
    done = subprocess.run(asked, env=without, cwd=study_folder.parent, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no key of W&B" in done.stdout
    assert "specification: wandb_workspace.json" in done.stdout
    written = json.loads((study_folder.parent / "wandb_workspace.json").read_text())
    assert written["project"] == "mine"
    assert "summary:alpha/a" in json.dumps(written)


def test_with_a_key_the_command_saves_the_view_under_one_name(section, with_key, stand_in, tmp_path):
    done = subprocess.run(COMMAND, env=with_key, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"view: {stand_in.url}/someone/dfwe?nw=dfwemerges" in done.stdout
    (view,) = stand_in.views
    assert (view["entityName"], view["projectName"], view["displayName"]) == ("someone", "dfwe", "dfwe merges")
    assert view["name"] == "nw-dfwemerges-v"


def test_a_view_that_cannot_be_saved_is_one_line(section, monkeypatch, capsys):
    def refuse(view):
        raise OSError("no route to it")

    monkeypatch.setattr("wandb_workspaces.workspaces.Workspace.save", refuse)
    monkeypatch.setattr("dfwe.report.wandb.workspace.mode", lambda: "online")
    assert main(["wandb", "--entity", "someone"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: the view cannot be saved in W&B (no route to it)")


def test_a_folder_without_results_is_one_line(tmp_path, capsys):
    assert main(["wandb", str(tmp_path)]) == 2
    assert "holds no results.json: expected the folder of a finished run" in capsys.readouterr().err


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'dfwe\[wandb\]'"):
        build_workspace(entity="someone", project="dfwe")
