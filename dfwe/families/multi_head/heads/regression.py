"""A number for one sentence or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from dfwe.families.encoder.heads import NumberHead
from dfwe.families.multi_head.heads.base import PAIR_FEATURES, POOLINGS, HeadSpec, Perceptron, check_columns
from dfwe.values.allowed import Count, Name, OneOf, PartialShare


@dataclass(frozen=True)
class Regression(HeadSpec):
    """A perceptron to one number, over one embedding, or over u, v, |u - v| and u * v of two; squared error."""

    columns: Sequence[Name]  # one or two
    pooling: Annotated[str, OneOf(*POOLINGS)]
    dropout: PartialShare
    hidden: Count

    def __post_init__(self) -> None:
        check_columns(self.columns, least=1, most=2)

    def build(self, *, width: int, labels: Sequence[str]) -> NumberHead:
        """Return a head with fresh weights."""
        features = PAIR_FEATURES if len(self.columns) == 2 else PAIR_FEATURES[:1]
        network = Perceptron(width, features=features, hidden=self.hidden, num_outputs=1, dropout=self.dropout)
        return NumberHead(network, labels=labels, num_sentences=len(self.columns), pooling=self.pooling)
