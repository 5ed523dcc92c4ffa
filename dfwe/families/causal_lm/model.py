"""The Lightning module for decoder-only models, and what is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dfwe.errors import ModelError
from dfwe.families.causal_lm.asking import left_padded
from dfwe.families.causal_lm.labels import last_logits, positions_of
from dfwe.families.text.datamodule import IGNORE
from dfwe.families.text.lightning_module import Batch, TextModule
from dfwe.families.tokens import pad
from dfwe.models.loading import load_config


class CausalText(TextModule):
    """A decoder-only model that learns answers: prompts are read, and only the answers' tokens have a loss.

    A batch is what `collate` returns.
    """

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean cross-entropy of the answers' tokens."""
        return answer_loss(self.model, batch)


def collate(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], *, pad_id: int) -> dict[str, Any]:
    """Return prompts with their answers as one text per row, and the answers as `labels`, [rows, longest answer].

    Prompts are filled up on the left and answers on the right, so that all answers stand at the end: only there the
    vocabulary's logits are computed.
    """
    prompts = left_padded(sources, pad_id=pad_id)
    inputs = [target[:-1] for target in targets]  # after the last token nothing is predicted
    real = pad([[1] * len(row) for row in inputs], value=0)
    return {
        "input_ids": torch.cat([prompts["input_ids"], pad(inputs, value=pad_id)], dim=1),
        "attention_mask": torch.cat([prompts["attention_mask"], real], dim=1),
        "labels": pad(targets, value=IGNORE),
    }


def answer_loss(model: Any, batch: Batch) -> Tensor:
    """Return the mean of -log p(token) over the answers' tokens."""
    labels, mask = batch["labels"], batch["attention_mask"]
    logits = last_logits(
        model,
        num=labels.shape[1],
        input_ids=batch["input_ids"],
        attention_mask=mask,
        position_ids=positions_of(mask, model=model),
    )
    return functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORE)


def check_is_decoder(name: str | Path, **where: Any) -> None:
    """Raise ModelError for an encoder-decoder, or an encoder that Transformers could run as a decoder."""
    config = load_config(name, **where)
    if config.is_encoder_decoder:
        raise ModelError(f"{name} holds an encoder-decoder; choose a model of the family seq2seq: model=flan_t5_base")
    if config.model_type in _ENCODERS and not (
        getattr(config, "is_decoder", False) or getattr(config, "causal", False)
    ):
        raise ModelError(
            f"{name} holds an encoder ({config.model_type}); choose a model of the family classifier, as "
            "model=minilm_classifier"
        )


_ENCODERS = (  # Transformers can run them as decoders; without that, each token sees those after it
    "bert",
    "bert-generation",
    "big_bird",
    "camembert",
    "data2vec-text",
    "electra",
    "ernie",
    "megatron-bert",
    "rembert",
    "roberta",
    "roberta-prelayernorm",
    "roc_bert",
    "roformer",
    "xlm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
)
