"""A perceptron over features of one or two sentence embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfwe.errors import ConfigurationError

PAIR_FEATURES = ("u", "v", "abs_difference", "product")


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


def check_perceptron(features: Sequence[str], *, hidden: int) -> None:
    """Raises ConfigurationError for features that a pair does not have, none or one twice, or a layer without width."""
    if not features or len(set(features)) < len(features) or not set(features) <= set(PAIR_FEATURES):
        raise ConfigurationError(
            f"head.features must be some of {', '.join(PAIR_FEATURES)}, each once, not {list(features)}"
        )
    check_hidden(hidden)


def check_hidden(hidden: int) -> None:
    """Raises ConfigurationError for a layer without width."""
    if hidden < 1:
        raise ConfigurationError(f"head.hidden must be at least 1, not {hidden}")


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
