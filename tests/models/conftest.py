"""A tiny BERT."""

from pathlib import Path

import pytest

SENTENCES = [
    "the broth is mild and dull",
    "a merry tale",
    "is the kettle warm?",
    "the kettle is warm",
    "merry and mild",
]


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """A Hugging Face folder with a tiny random BERT and a tokenizer."""
    from dfwe.models.encoder_sources import FreshBert

    folder = tmp_path_factory.mktemp("tiny_bert")
    config = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    FreshBert(vocab_size=300, config=config).build(folder, seed=1, texts=SENTENCES)
    return folder
