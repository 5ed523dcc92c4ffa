"""Results of studies of one target each, as a study writes them."""

import json

import pytest


def row(name, kind, test, *, baseline=0.4, dev=None, error=0.01, **more):
    scores = {"dev": {"score": test + 0.05 if dev is None else dev}, "test": {"score": test}, "cost": {"seconds": 60.0}}
    delta = test - baseline
    compared = {"delta": delta, "delta_standard_error": error, "delta_interval": [delta - 0.02, delta + 0.02]}
    return {"name": name, "kind": kind, "stage": f"{kind}-{name}-{test}", **scores, **compared, **more}


@pytest.fixture
def study():
    """A function from a target, a seed and test scores by row to a study's results."""

    def results(target="MELD_emotion_recognition", seed=0, *, short="meld", command="python", num_train=100, **scores):
        scores = {"baseline": 0.4, "nelder_mead": 0.5} | scores
        kinds = {"nelder_mead": "merge", "uniform": "merge", short: "expert", "other": "expert"}
        models = [
            row(name, kinds.get(name, "baseline"), test, baseline=scores["baseline"]) for name, test in scores.items()
        ]
        models[0] = {key: value for key, value in models[0].items() if not key.startswith("delta")}
        return {
            "format": 4,
            "target": target,
            "sources": ["a", "b"],
            "seed": seed,
            "n": {"train": num_train, "dev": 10, "test": 90},
            "models": models,
            "roles": {"baseline": "baseline", "best_expert": "other"},
            "headline": {"name": "nelder_mead"},
            "data": {"root": "/home/me/friends", "tasks": {short: {"corpus": "abc", "shots": "all"}}},
            "command": command,
        }

    return results


@pytest.fixture
def folder_of(tmp_path):
    """A function from studies' results to the folder of their runs."""

    def folder(*studies, name="sweep"):
        for number, results in enumerate(studies):
            (tmp_path / name / str(number)).mkdir(parents=True)
            (tmp_path / name / str(number) / "results.json").write_text(json.dumps(results))
        return tmp_path / name

    return folder
