"""The notebooks of docs/tutorials run from top to bottom."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("*.ipynb"))
PACKAGES = str(Path(__file__).parents[1])
FEW = '", "'.join(f"data.generator.num_{split}=8" for split in ("train", "dev", "test"))
SMALLER = {  # of the long ones: what is replaced, so that all of it runs in less time
    "method_in_ten_cells": {
        "generator.num_train=2000": "generator.num_train=200",
        "train.epochs=4": "train.epochs=1",
        "finetune.epochs=3": "finetune.epochs=1",
        "search.budget=30": f'search.budget=5", "{FEW}',
    },
    "my_csv": {'.csv", 300': '.csv", 80', "search.budget=20": "search.budget=4"},
}


def code_of(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize("notebook", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_runs(notebook, run_module, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", PACKAGES)  # for what a notebook starts
    code = code_of(notebook)
    for text, smaller in SMALLER.get(notebook.stem, {}).items():
        assert text in code
        code = code.replace(text, smaller)
    (tmp_path / "notebook.py").write_text(code, encoding="utf8")
    if notebook.stem in SMALLER:
        ended = run_module("notebook", cwd=tmp_path, seconds=900)
    else:  # a Python of its own, in which nothing is imported
        command = [sys.executable, "notebook.py"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.mark.parametrize("notebook", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_is_stored_without_outputs(notebook):
    cells = json.loads(notebook.read_text(encoding="utf8"))["cells"]
    assert not any(cell.get("outputs") for cell in cells)


def test_there_are_tutorials():
    assert len(TUTORIALS) >= 3
