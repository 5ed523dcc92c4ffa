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

    from dfwe.schema import conf_dir, register

    def configuration(*overrides):
        register()
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return compose("config", overrides=list(overrides))

    return configuration
