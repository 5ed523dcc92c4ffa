"""Shared by all tests: annotations are checked while they run, and nothing reaches a network."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ["OMP_NUM_THREADS"] = "1"  # the suite runs one process a core

install_import_hook("dfwe", "beartype.beartype")


TEXTS = [
    "context: Monica Vale: I feel glad. emotion:",
    "joy",
    "anger",
    "neutral",
    "context: Ross Dahl: That makes me furious. emotion:",
    "fear",
    "sadness",
    "what is it? answer:",
]


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory) -> Path:
    """A Hugging Face folder with a tiny random T5 and a tokenizer."""
    from dfwe.models.sources import FreshT5

    folder = tmp_path_factory.mktemp("tiny_t5")
    config = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.1}
    FreshT5(vocab_size=300, config=config).build(folder, seed=1, texts=TEXTS)
    return folder


@pytest.fixture
def model(tiny_t5):
    """A fresh copy of the tiny T5."""
    from dfwe.models.text_to_text import load_model

    return load_model(tiny_t5)


@pytest.fixture(scope="session")
def tokenizer(tiny_t5):
    """Its tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_t5)


@pytest.fixture(scope="session")
def composed():
    """A function from overrides to the composed configuration."""
    from hydra import compose, initialize_config_dir

    from dfwe.conf import conf_dir
    from dfwe.options import register

    def configuration(*overrides):
        register()
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return compose("config", overrides=list(overrides))

    return configuration


MOOD = """
name: moods
default_sources: [taste]
labels: [good, bad]
decode: labels
max_new_tokens: 4
prompt:
  _target_: dfwe.data.prompts.template.Template
  task: ${..name}
  context: "{text}"
  prompt: " mood:"
  answer:
    _target_: dfwe.data.prompts.answers.OneOf
    column: mood
    labels: ${...labels}
    texts: {"+": good, "-": bad}
metrics:
  acc: {_target_: dfwe.metrics.classification.Accuracy, labels: "${...labels}"}
data:
  root: null
  reader:
    _target_: dfwe.data.readers.table.Table
    files:
      train:
        _target_: dfwe.data.readers.delimited.Delimited
        path: mood.csv
        delimiter: ","
        quoting: true
        columns: null
        encoding: utf-8
        rename: {}
    cut: {dev: 0.25, test: 0.25}
    seed: 0
    id: null
    group: null
    leave_out: {mood: ["?"]}
"""
TASTE = """
name: tastes
default_sources: [mood]
labels: []
decode: greedy
max_new_tokens: 4
prompt:
  _target_: dfwe.data.prompts.template.Template
  task: ${..name}
  context: "{dish}"
  prompt: " taste:"
  answer: {_target_: dfwe.data.prompts.answers.FreeText, texts: [taste], separator: null}
metrics:
  Exact_Match: {_target_: dfwe.metrics.span.ExactMatch}
data:
  root: null
  reader:
    _target_: dfwe.data.readers.table.Table
    files:
      train: {_target_: dfwe.data.readers.json_lines.JsonLines, path: taste.jsonl, encoding: utf-8, rename: {}}
    cut: {dev: 0.3, test: 0.3}
    seed: 0
    id: null
    group: null
    leave_out: {}
"""


@pytest.fixture(scope="session")
def my_conf(tmp_path_factory) -> Path:
    """A user's configuration folder with two tasks of rows, `mood` and `taste`."""
    folder = tmp_path_factory.mktemp("my_conf")
    (folder / "task").mkdir()
    (folder / "task" / "mood.yaml").write_text(MOOD)
    (folder / "task" / "taste.yaml").write_text(TASTE)
    return folder


@pytest.fixture
def my_files(tmp_path) -> Path:
    """Their files: 20 moods, two of them left out on purpose, and 12 tastes."""
    rows = [f'"The {n}th kettle, {word}.",{mark}' for n in range(10) for word, mark in (("warm", "+"), ("cold", "-"))]
    rows[4:4] = ["Nobody knows.,?", "Who can tell?,?"]
    (tmp_path / "mood.csv").write_text("\n".join(["text,mood", *rows]) + "\n")
    tastes = [f'{{"dish": "pie number {n}", "taste": "{"sweet" if n % 2 else "sour"}"}}\n' for n in range(12)]
    (tmp_path / "taste.jsonl").write_text("".join(tastes))
    return tmp_path
