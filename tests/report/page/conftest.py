"""Run folders invented by the benchmark's generator, and small ones written by hand."""

import importlib.util
import json
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


@pytest.fixture
def plain(tmp_path):
    """A function from changes of the results to a run folder with the least that a study leaves."""

    def folder(name="plain", **changes):
        models = [
            {"name": "baseline", "kind": "baseline", "dev": {"score": 0.5}, "test": {"score": 0.4}},
            {"name": "a", "kind": "expert", "dev": {"score": 0.52}, "test": {"score": 0.42}},
            {
                "name": "ties",
                "kind": "merge",
                "dev": {"score": 0.55},
                "test": {"score": 0.5},
                "delta": 0.1,
                "delta_standard_error": 0.02,
                "coefficients": {"a": 0.25, "b": 0.75},
                "picked": "bagged",
                "trial": 1,
                "evaluations": 1,
                "seconds": 0.5,
            },
        ]
        found = {"format": 2, "target": "t", "sources": ["a"], "seed": 0, "n": {"test": 9}, "models": models}
        found |= {"headline": {"name": "ties", "delta": 0.1}, "data": {"tasks": {"t": {"corpus": "abc", "shots": "all"}}}}
        path = tmp_path / name
        path.mkdir(parents=True)
        (path / "results.json").write_text(json.dumps(found | changes))
        return path

    return folder
