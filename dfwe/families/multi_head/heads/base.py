"""Settings of heads, and the perceptron that several of them have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfwe.errors import ConfigurationError
from dfwe.families.encoder.heads import Head

POOLINGS = ("pooler", "cls", "mean")
PAIR_FEATURES = ("u", "v", "abs_difference", "product")


class HeadSpec(ABC):
    """A head's settings, from a task's YAML; `columns` are the sentences, one or two, in order."""

    columns: Sequence[str]
    is_linear: ClassVar[bool] = False  # true if its network is one linear layer, `output`, so that it can be a probe

    @abstractmethod
    def build(self, *, width: int, labels: Sequence[str]) -> Head:
        """Return a head with fresh weights for embeddings of that width, drawn from torch's generator.

        Raises:
            ConfigurationError: labels where there can be none, or too few.
        """


class Perceptron(nn.Module):
    """Features in one row, dropout, linear layer, ReLU, dropout, linear layer.

    `u` and `v` are the first and the second sentence's embedding, `abs_difference` and `product` are taken value by
    value. One sentence has the feature `u` alone.
    """

    def __init__(self, width: int, *, features: Sequence[str], hidden: int, num_outputs: int, dropout: float) -> None:
        super().__init__()
        self.features = tuple(features)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(len(self.features) * width, hidden)
        self.output = nn.Linear(hidden, num_outputs)

    def forward(self, embeddings: Float[Tensor, "sentences batch width"]) -> Float[Tensor, "batch outputs"]:
        """Return the outputs."""
        row = torch.cat([_feature(name, embeddings) for name in self.features], dim=-1)
        outputs: Tensor = self.output(self.dropout(self.hidden(self.dropout(row)).relu()))
        return outputs


def check_columns(columns: Sequence[str], *, least: int, most: int) -> None:
    """Raise ConfigurationError for another number of columns than a head reads."""
    if not least <= len(columns) <= most:
        number = str(least) if least == most else f"{least} or {most}"
        raise ConfigurationError(f"head.columns must name {number} column(s) for this head, not {list(columns)}")


def _feature(name: str, embeddings: Float[Tensor, "sentences batch width"]) -> Float[Tensor, "batch width"]:
    match name:
        case "u":
            return embeddings[0]
        case "v":
            return embeddings[1]
        case "abs_difference":
            return (embeddings[0] - embeddings[1]).abs()
        case _:
            return embeddings[0] * embeddings[1]
