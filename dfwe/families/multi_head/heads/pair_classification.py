"""Two sentences, one of a few labels: by a perceptron, or by their cosine alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dfwe.errors import ConfigurationError
from dfwe.families.encoder.heads import LabelHead
from dfwe.families.multi_head.heads.base import PAIR_FEATURES, POOLINGS, HeadSpec, Perceptron, check_columns
from dfwe.values.allowed import Count, Name, OneOf, PartialShare


@dataclass(frozen=True)
class PairClassification(HeadSpec):
    """A perceptron over features of two embeddings, softmax (Cuts and Stitches, section 4; hidden size 256)."""

    columns: Sequence[Name]  # two
    pooling: Annotated[str, OneOf(*POOLINGS)]
    dropout: PartialShare
    hidden: Count
    features: Sequence[Annotated[str, OneOf(*PAIR_FEATURES)]]  # some of u, v, abs_difference, product

    def __post_init__(self) -> None:
        check_columns(self.columns, least=2, most=2)
        if not self.features or len(set(self.features)) < len(self.features):
            raise ConfigurationError(f"head.features must name one feature or more, each once, not {self.features}")

    def build(self, *, width: int, labels: Sequence[str]) -> LabelHead:
        """Return a head with fresh weights."""
        network = Perceptron(
            width, features=self.features, hidden=self.hidden, num_outputs=len(labels), dropout=self.dropout
        )
        return LabelHead(network, labels=labels, num_sentences=2, pooling=self.pooling)


@dataclass(frozen=True)
class PairCosine(HeadSpec):
    """Two labels whose logits are 0 and a cos(u, v) + b, a and b learnt (Cuts and Stitches, section 6.1).

    The paper does not say how a cosine becomes a label. At its learning rate `scale` and `offset`, where a and b begin,
    hardly change.
    """

    columns: Sequence[Name]  # two
    pooling: Annotated[str, OneOf(*POOLINGS)]
    dropout: PartialShare
    scale: float
    offset: float

    def __post_init__(self) -> None:
        check_columns(self.columns, least=2, most=2)

    def build(self, *, width: int, labels: Sequence[str]) -> LabelHead:
        """Return a head for two labels; the second is what alike sentences have."""
        if len(labels) != 2:
            raise ConfigurationError(f"a cosine tells two labels apart, not {len(labels)}: {', '.join(labels)}")
        network = _ScaledCosine(scale=self.scale, offset=self.offset, dropout=self.dropout)
        return LabelHead(network, labels=labels, num_sentences=2, pooling=self.pooling)


class _ScaledCosine(nn.Module):
    def __init__(self, *, scale: float, offset: float, dropout: float) -> None:
        super().__init__()
        self.dropout, self.output = nn.Dropout(dropout), nn.Linear(1, 1)  # a linear layer: Fisher's hooks know these
        nn.init.constant_(self.output.weight, scale)
        nn.init.constant_(self.output.bias, offset)

    def forward(self, embeddings: Float[Tensor, "2 batch width"]) -> Float[Tensor, "batch 2"]:
        first, second = self.dropout(embeddings).float()
        logits: Tensor = self.output(functional.cosine_similarity(first, second, dim=-1)[:, None])
        return torch.cat([torch.zeros_like(logits), logits], dim=-1)
