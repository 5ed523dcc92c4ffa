"""Whatever happens to W&B, a study goes on."""

import subprocess
import sys

import pytest

from dfwe.report.wandb import session as module
from dfwe.report.wandb.session import Session

OPEN = """
import sys
from pathlib import Path
from dfwe.report.wandb import session as module
module.CONNECT = 3.0
session = module.Session(project="test", folder=Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    run = session.open(run_id=f"run{number}", name="a", group="b", job_type="merge", config={})
    run.log({"score": 0.5})
    session.safely(run.finish)
"""


def opened(folder, env, *, number=1):
    """Runs opened one after the other, by a process of its own: W&B remembers keys."""
    command = [sys.executable, "-c", OPEN, str(folder), str(number)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


def offline_runs(folder):
    return sorted(path.name.rsplit("-", 1)[-1] for path in folder.glob("wandb/offline-run-*"))


def test_without_a_key_runs_are_offline(with_key, tmp_path):
    without = {name: value for name, value in with_key.items() if name != "WANDB_API_KEY"}
    done = opened(tmp_path, without)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert offline_runs(tmp_path) == ["run0"]


def test_missing_server_is_one_warning(with_key, tmp_path):
    done = opened(tmp_path, with_key | {"WANDB_BASE_URL": "http://127.0.0.1:9"}, number=2)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "127.0.0.1:9" in line
    assert f"`wandb sync --include-online {tmp_path}/wandb`" in line
    assert offline_runs(tmp_path) == ["run0", "run1"]


def test_a_key_that_is_none_is_one_warning_without_it(with_key, tmp_path):
    done = opened(tmp_path, with_key | {"WANDB_API_KEY": "nokey123"})
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "API key must have" in line
    assert "nokey123" not in line
    assert offline_runs(tmp_path) == ["run0"]


def test_error_is_logged_once_without_the_key(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    session = Session(project="test", folder=tmp_path)

    def fails():
        raise OSError("the server\ndoes not like secret")

    assert session.safely(fails) is None
    assert session.safely(fails) is None
    (record,) = caplog.records
    assert "the server does not like ...; the study goes on" in record.getMessage()


def test_interrupt_is_not_caught(tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Session(project="test", folder=tmp_path).safely(interrupted)


def test_mode_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert module.mode() == "disabled"
