"""One sentence, one of a few labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from dfwe.families.encoder.heads import LabelHead
from dfwe.families.multi_head.heads.base import POOLINGS, HeadSpec, check_columns
from dfwe.values.allowed import Name, OneOf, PartialShare


@dataclass(frozen=True)
class Classification(HeadSpec):
    """Sentence embedding, dropout, linear layer, softmax (Cuts and Stitches, section 4)."""

    is_linear: ClassVar[bool] = True
    columns: Sequence[Name]  # one
    pooling: Annotated[str, OneOf(*POOLINGS)]
    dropout: PartialShare

    def __post_init__(self) -> None:
        check_columns(self.columns, least=1, most=1)

    def build(self, *, width: int, labels: Sequence[str]) -> LabelHead:
        """Return a head with fresh weights."""
        network = _Linear(width, num_outputs=len(labels), dropout=self.dropout)
        return LabelHead(network, labels=labels, num_sentences=1, pooling=self.pooling)


class _Linear(nn.Module):
    def __init__(self, width: int, *, num_outputs: int, dropout: float) -> None:
        super().__init__()
        self.dropout, self.output = nn.Dropout(dropout), nn.Linear(width, num_outputs)

    def forward(self, embeddings: Float[Tensor, "1 batch width"]) -> Float[Tensor, "batch outputs"]:
        outputs: Tensor = self.output(self.dropout(embeddings[0]))
        return outputs
