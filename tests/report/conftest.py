"""Run folders written by hand."""

import json

import pytest

LABELS = {
    "emory_emotion_recognition": ["joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared"],
    "MELD_emotion_recognition": ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"],
    "character_identification": ["a", "b", "c", "d", "e", "f", "g"],
    "personality_detection": ["0", "1"],
    "reading_comprehension": [],
    "question_answering": [],
    "relation_extraction": [f"per:code{number}" for number in range(37)],
}


def understanding(task):
    labels = LABELS.get(task, ["yes", "no"])
    if task != "relation_extraction":
        return {"name": task, "kind": "label" if labels else "text", "labels": labels}
    names = {code: f"name {chr(ord('A') + number)};" for number, code in enumerate(labels)}
    return {
        "name": task,
        "kind": "relations",
        "labels": labels,
        "names": names,
        "default": labels[0],
        "whole_words": False,
    }


@pytest.fixture
def study(tmp_path):
    """A function from a task, its instances' ids, and models with their answers to a run folder."""

    def folder(task, ids, *, name=None, scores=(0.5, 0.625), **answers):
        path = tmp_path / (name or task)
        path.mkdir()
        models = [{"name": m, "test": {"score": s}} for m, s in zip(answers, scores, strict=True)]
        results = {
            "target": task,
            "n": {"train": 9, "dev": 9, "test": len(ids)},
            "models": models,
            "headline": {"name": list(answers)[-1]} if len(answers) > 1 else {},
        }
        found = {"format": 1, "task": understanding(task), "instance_ids": ids, "models": answers}
        (path / "results.json").write_text(json.dumps(results))
        (path / "test_predictions.json").write_text(json.dumps(found))
        return path

    return folder


@pytest.fixture
def answered(study):
    """A function from a task to a run folder in which two instances were answered with the given or a fitting text."""

    def folder(task, *, answer=None, **more):
        fitting = {"personality_detection": "1", "relation_extraction": "name B;"}
        text = answer if answer is not None else fitting.get(task, (LABELS[task] or ["some words"])[-1])
        return study(task, ["s1_a", "s1_b"], baseline=[text, text], merged=[text, text], **more)

    return folder


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
        found |= {
            "headline": {"name": "ties", "delta": 0.1},
            "data": {"tasks": {"t": {"corpus": "abc", "shots": "all"}}},
        }
        path = tmp_path / name
        path.mkdir(parents=True)
        (path / "results.json").write_text(json.dumps(found | changes))
        return path

    return folder
