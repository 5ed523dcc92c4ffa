"""Run folders invented by the benchmark's generator."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MELD = "MELD_emotion_recognition"


@pytest.fixture(scope="session")
def invented():
    """The generator of run folders in benchmarks/page.py: `write_run`, `write_sweep`."""
    spec = importlib.util.spec_from_file_location("benchmark_of_pages", ROOT / "benchmarks" / "page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def whole(invented, tmp_path):
    """A run folder with everything that results can hold."""
    invented.write_run(tmp_path / "run", target=MELD, sources=("personality_detection", "question_answering"))
    return tmp_path / "run"
