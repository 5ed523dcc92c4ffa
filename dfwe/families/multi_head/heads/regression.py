"""A number for one sentence or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from dfwe.families.multi_head.heads.base import POOLINGS, HeadSpec, check_spec
from dfwe.families.multi_head.heads.number_head import NumberHead
from dfwe.families.multi_head.heads.perceptron import PAIR_FEATURES, Perceptron, check_hidden
from dfwe.values.allowed import Count, Name, OneOf, PartialShare


@dataclass(frozen=True)
class Regression(HeadSpec):
    """A perceptron to one number, over one embedding, or over u, v, |u - v| and u * v of two; squared error."""

    columns: Sequence[Name]  # one or two
    pooling: Annotated[str, OneOf(*POOLINGS)]
    dropout: PartialShare
    hidden: Count

    def __post_init__(self) -> None:
        check_spec(self.columns, most=2, pooling=self.pooling, dropout=self.dropout)
        check_hidden(self.hidden)

    def build(self, *, width: int, labels: Sequence[str]) -> NumberHead:
        """Return a head with fresh weights."""
        features = PAIR_FEATURES if len(self.columns) == 2 else PAIR_FEATURES[:1]
        network = Perceptron(width, features=features, hidden=self.hidden, num_outputs=1, dropout=self.dropout)
        return NumberHead(network, labels=labels, num_sentences=len(self.columns), pooling=self.pooling)
