"""Folders of merged models: a tiny random T5 with the dfwe.json that a study writes."""

import json
import shutil

import pytest

from dfwe.config.load import plain
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
