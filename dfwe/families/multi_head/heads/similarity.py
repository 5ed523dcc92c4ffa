"""How alike two sentences are: a cosine, squashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from dfwe.errors import ConfigurationError
from dfwe.families.encoder.heads import NumberHead
from dfwe.families.multi_head.heads.base import POOLINGS, HeadSpec, check_columns
from dfwe.values.allowed import Count, Name, OneOf, PartialShare, Positive

SQUASHES = ("identity", "relu", "clamp")


@dataclass(frozen=True)
class SimilarityHead(HeadSpec):
    """low + (high - low) f(c) of the cosine c of two embeddings after one linear layer (Cuts and Stitches, section 4).

    The squash f is c itself, max(c, 0), or clamp(c, 0, k) / k, with which sentences need no cosine of 1 to be taken
    for the same (section 6.2). Where f is flat an example has no gradient. Only clamp reads `k`.
    """

    columns: Sequence[Name]  # two
    pooling: Annotated[str, OneOf(*POOLINGS)]
    dropout: PartialShare  # of the embeddings, each its own
    hidden: Count  # what the linear layer gives; 128 in the paper
    squash: Annotated[str, OneOf(*SQUASHES)]
    k: Positive
    low: float  # of the scale
    high: float

    def __post_init__(self) -> None:
        check_columns(self.columns, least=2, most=2)
        if self.squash == "clamp" and self.k > 1:
            raise ConfigurationError(f"head.k, the cosine that counts as the same, must be at most 1, not {self.k}")
        if not self.low < self.high:
            raise ConfigurationError(f"head.low={self.low} must be below head.high={self.high}")

    def build(self, *, width: int, labels: Sequence[str]) -> NumberHead:
        """Return a head with fresh weights."""
        return NumberHead(_SquashedCosine(width, self), labels=labels, num_sentences=2, pooling=self.pooling)


def squashed(cosines: Float[Tensor, " batch"], *, squash: str, k: float) -> Float[Tensor, " batch"]:
    """Return f of `SimilarityHead` of the cosines."""
    match squash:
        case "identity":
            return cosines
        case "relu":
            return cosines.relu()
        case _:
            return cosines.clamp(0, k) / k


class _SquashedCosine(nn.Module):
    def __init__(self, width: int, spec: SimilarityHead) -> None:
        super().__init__()
        self.dropout, self.hidden = nn.Dropout(spec.dropout), nn.Linear(width, spec.hidden)
        self._spec = spec

    def forward(self, embeddings: Float[Tensor, "2 batch width"]) -> Float[Tensor, "batch 1"]:
        first, second = self.hidden(self.dropout(embeddings)).float()
        spec = self._spec
        shares = squashed(functional.cosine_similarity(first, second, dim=-1), squash=spec.squash, k=spec.k)
        return (spec.low + (spec.high - spec.low) * shares)[:, None]
