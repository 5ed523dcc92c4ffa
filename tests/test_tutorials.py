"""The notebooks of docs/tutorials run from top to bottom."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("*.ipynb"))
PACKAGES = str(Path(__file__).parents[1])


def code_of(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize("notebook", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_runs(notebook, tmp_path):
    environment = {**os.environ, "PYTHONPATH": PACKAGES, "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"}
    command = [sys.executable, "-c", code_of(notebook)]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.mark.parametrize("notebook", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_is_stored_without_outputs(notebook):
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    assert not any(cell.get("outputs") for cell in cells)


def test_there_are_tutorials():
    assert len(TUTORIALS) >= 3
