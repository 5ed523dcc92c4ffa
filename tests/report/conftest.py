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


def answer_format(task):
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
        models = [
            {"name": m, "kind": "baseline" if m == "baseline" else "merge", "dev": {"score": s}, "test": {"score": s}}
            for m, s in zip(answers, scores, strict=True)
        ]
        results = {
            "format": 4,
            "target": task,
            "sources": [],
            "seed": 0,
            "n": {"train": 9, "dev": 9, "test": len(ids)},
            "models": models,
            "headline": {"name": list(answers)[-1]} if len(answers) > 1 else {},
        }
        found = {"format": 1, "task": answer_format(task), "instance_ids": ids, "models": answers}
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
                "delta_interval": [0.06, 0.14],
                "coefficients": {"a": 0.25, "b": 0.75},
                "selection": "bagged",
                "trial": 1,
                "evaluations": 1,
                "seconds": 0.5,
            },
        ]
        found = {"format": 4, "target": "t", "sources": ["a"], "seed": 0, "n": {"test": 9}, "models": models}
        found |= {
            "auto_class": "AutoModelForSeq2SeqLM",
            "headline": {"name": "ties", "delta": 0.1},
            "data": {"tasks": {"t": {"corpus": "abc", "shots": "all"}}},
        }
        path = tmp_path / name
        path.mkdir(parents=True)
        (path / "results.json").write_text(json.dumps(found | changes))
        return path

    return folder


def trial(number, score, a, **more):
    return {"number": number, "kind": "search", "coefficients": {"a": a, "b": 1 - a}, "score": score} | {
        "metrics": {},
        "seconds": 0.5,
        **more,
    }


TRIALS = [trial(1, 0.5, 0.5), trial(2, 0.25, 0.0), trial(3, None, 0.125, bound=0.375, answered=3), trial(4, 0.75, 0.25)]


def merge(name, stage, *, dev, test, delta):
    return {
        "name": name,
        "kind": "merge",
        "stage": stage,
        "selection": "search",
        "coefficients": {"a": 0.25, "b": 0.75},
        "dev": {"score": dev},
        "evaluations": 4,
        "seconds": 2.0,
        "test": {"score": test, "interval": [0.25, 0.75]},
        "delta": delta,
        "delta_interval": [-0.125, 0.375],
        "p": 0.5,
        "against": {"uniform": {"name": "uniform", "delta": 0.0625}},
    }


@pytest.fixture
def results():
    """A study's results: a baseline, and two merges of the experts a and b."""
    baseline = {"name": "baseline", "kind": "baseline", "dev": {"score": 0.5}, "test": {"score": 0.5}}
    uniform = merge("uniform", "merge-1", dev=0.5, test=None, delta=None)
    found = merge("found", "merge-2", dev=0.75, test=0.625, delta=0.125)
    known = {"target": "mood", "sources": ["taste", "smell"], "model": "parent small", "seed": 3}
    known["auto_class"] = "AutoModelForSeq2SeqLM"
    return {**known, "models": [baseline, uniform, found], "headline": {"name": "found", "test": 0.625}}


def of_tasks(sst, sts, **more):
    known = None not in (sst, sts)
    return {"tasks": {"SST": sst, "STS": sts}, "score": (sst + sts) / 2 if known else None, **more}


@pytest.fixture
def of_heads():
    """Results of models with heads: a single-task model, and a merge of the models a and b."""
    sure = {"delta": 0.125, "delta_standard_error": 0.0625, "delta_interval": [-0.125, 0.375], "p": 0.5}
    soup = merge("soup", "merge-3", dev=0, test=0, delta=0)
    for key in ("test", "delta", "delta_interval", "p", "against"):
        del soup[key]
    soup |= {"dev": of_tasks(0.5, 1.0), "test": of_tasks(0.5, 0.75, interval=[0.25, 0.75])}
    soup |= {"differences": {"SST": {"delta": 0.25}, "STS": {"delta": 0.0}}, **sure}
    single = {"name": "only", "kind": "single", "dev": of_tasks(0.5, None), "test": of_tasks(0.25, None)}
    known = {"columns": {"SST": "sst", "STS": "sts"}, "n": {"SST": {}, "STS": {}, "SNLI": {}}, "seed": 3}
    return {"kind": "multitask", **known, "model": "parent small", "models": [single, soup]}


@pytest.fixture
def study_folder(tmp_path):
    """Its run folder: trials, a picture, a merged model."""
    from matplotlib.figure import Figure

    folder = tmp_path / "run"
    (folder / "pictures").mkdir(parents=True)
    (folder / "trials.jsonl").write_text("".join(json.dumps(each) + "\n" for each in TRIALS))
    (folder / "trials_soup.jsonl").write_text("".join(json.dumps(each) + "\n" for each in TRIALS))
    (folder / "trials_uniform.jsonl").write_text(json.dumps(TRIALS[0]) + "\n")
    Figure(figsize=(0.5, 0.5)).savefig(folder / "pictures" / "trace.png")
    (folder / "merged").mkdir()
    (folder / "merged" / "config.json").write_text("{}")
    return folder
