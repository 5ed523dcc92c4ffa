"""Runs of merges as a server gets them: W&B's own client talks to a server that stands in for W&B's."""

import json
import shutil
import subprocess
import sys

import pytest

from dfwe.report.wandb.publish import merge_runs, publish
from dfwe.report.wandb.session import Session

PUBLISH = """
import json, sys
from pathlib import Path
from dfwe.report.wandb.publish import publish
from dfwe.report.wandb.session import Session
session = Session(project="test", folder=Path(sys.argv[1]), artifact=True)
publish(json.loads(Path(sys.argv[1], "results.json").read_text()), session=session)
"""


@pytest.fixture
def offline(results, study_folder, tmp_path, monkeypatch):
    """A function that publishes the study without a server."""
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "wandb_own"))

    def published(folder=study_folder):
        publish(results, session=Session(project="test", folder=folder, artifact=True))
        return merge_runs(results, folder=folder, described={})

    return published


def sync(folder, env):
    """`wandb sync` of every run in a study's folder."""
    runs = sorted(map(str, folder.glob("wandb/offline-run-*")))
    command = [sys.executable, "-m", "wandb", "sync", *runs]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def check(server, *, run):
    """What the server was told of a merge is what the merge is."""
    told = server.runs[run.run_id]
    assert (told["displayName"], told["groupName"], told["jobType"]) == (run.title, run.group, "merge")
    config = {key: each["value"] for key, each in json.loads(told["config"]).items() if key != "_wandb"}
    assert config == run.config
    trials = [row for row in server.history[run.run_id] if "seconds" in row]
    assert [{key: row[key] for key in row if not key.startswith("_")} for row in trials] == list(run.history)
    kept = {key: value for key, value in server.summary[run.run_id].items() if key in run.summary}
    assert kept == run.summary


def test_sync_uploads_offline_runs(offline, stand_in, with_key, study_folder):
    runs = offline()
    sync(study_folder, with_key)
    for run in runs:
        check(stand_in, run=run)
        assert f"run-{run.run_id}-models" in stand_in.artifacts
    assert "merged-mood-found" in stand_in.artifacts
    assert "merged-mood-uniform" not in stand_in.artifacts
    assert any(file.startswith("media/images/pictures/trace") for file in stand_in.files)


def test_sync_uploads_merges_of_several_tasks(offline, of_heads, stand_in, with_key, study_folder):
    publish(of_heads, session=Session(project="test", folder=study_folder, artifact=True))
    sync(study_folder, with_key)
    (run,) = merge_runs(of_heads, folder=study_folder, described={})
    check(stand_in, run=run)
    assert f"run-{run.run_id}-models" in stand_in.artifacts
    assert len(stand_in.runs) == 1


def test_sync_again_appends_to_the_same_run(offline, stand_in, with_key, study_folder):
    again = study_folder.with_name("again")
    shutil.copytree(study_folder, again)
    for folder in (study_folder, again):
        runs = offline(folder)
        sync(folder, with_key)
    assert set(stand_in.runs) == {run.run_id for run in runs}
    trials = [row["trial"] for row in stand_in.history[runs[1].run_id] if "seconds" in row]
    assert trials == [1, 2, 3, 4, 1, 2, 3, 4]  # wandb 0.31 appends: on the axis of trials the lines coincide


def test_online_runs_are_written_once(results, study_folder, stand_in, with_key):
    (study_folder / "results.json").write_text(json.dumps(results))
    for _ in range(2):
        command = [sys.executable, "-c", PUBLISH, str(study_folder)]
        done = subprocess.run(command, env=with_key, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0
        assert "W&B:" not in done.stderr
        for run in merge_runs(results, folder=study_folder, described={}):
            check(stand_in, run=run)
    files = [path for path in study_folder.rglob("*") if path.is_file()]
    assert not [path for path in files if with_key["WANDB_API_KEY"].encode() in path.read_bytes()]
