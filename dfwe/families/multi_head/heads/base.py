"""What a task adds to a shared encoder: a head, and the settings it is built from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfwe.errors import ConfigurationError, ModelError

POOLINGS = ("pooler", "cls", "mean")


class Head(nn.Module, ABC):
    """A task's own part of a model: from sentence embeddings to outputs, and all that these mean.

    `num_sentences` is how many sentences an example has, `pooling` (one of POOLINGS) how each of them becomes one
    embedding. Losses, divergences and factors are float32 whatever the outputs are.
    """

    num_sentences: int
    pooling: str

    @abstractmethod
    def forward(self, embeddings: Float[Tensor, "sentences batch width"]) -> Float[Tensor, "batch outputs"]:
        """Logits, or one number an example."""

    @abstractmethod
    def losses(self, outputs: Float[Tensor, "batch outputs"], gold: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """Return each example's loss; ModelError where a gold answer is NaN, as in a batch of a task without labels."""

    @abstractmethod
    def divergences(
        self, outputs: Float[Tensor, "batch outputs"], others: Float[Tensor, "batch outputs"]
    ) -> Float[Tensor, " batch"]:
        """How far apart two outputs for each example are, symmetric; SMART's l_s (Jiang et al. 2020, section 3.1)."""

    @abstractmethod
    def answers(self, outputs: Float[Tensor, "batch outputs"]) -> tuple[str, ...]:
        """Return the examples' answers as metrics take them."""

    @abstractmethod
    def label_scores(self, outputs: Float[Tensor, "batch outputs"]) -> Float[Tensor, "batch labels"] | None:
        """Log-probabilities of the labels; None where there are none."""

    @abstractmethod
    def fisher_factors(
        self, outputs: Float[Tensor, "batch outputs"], *, sigma: float, samples: int, generator: torch.Generator
    ) -> Float[Tensor, "factors batch outputs"]:
        """Vectors v_f with which an example's diagonal Fisher information is sum_f (J' v_f)^2; without gradients.

        J is the Jacobian of the outputs by the parameters. `sigma`, `samples` and the generator are for numbers only.
        """


class HeadSpec(ABC):
    """A head's settings, from a task's YAML; `columns` are the sentences, one or two, in order."""

    columns: Sequence[str]

    @abstractmethod
    def build(self, *, width: int, labels: Sequence[str]) -> Head:
        """Return a head with fresh weights for embeddings of that width, drawn from torch's generator.

        Raises:
            ConfigurationError: labels where there can be none, or too few.
        """


def check_spec(columns: Sequence[str], *, most: int, least: int = 1, pooling: str, dropout: float) -> None:
    """Raises ConfigurationError for settings that no head can have."""
    if not least <= len(columns) <= most:
        wanted = str(least) if least == most else f"{least} or {most}"
        raise ConfigurationError(f"head.columns must name {wanted} column(s) for this head, not {list(columns)}")
    if pooling not in POOLINGS:
        raise ConfigurationError(f"head.pooling must be one of {', '.join(POOLINGS)}, not '{pooling}'")
    if not 0 <= dropout < 1:
        raise ConfigurationError(f"head.dropout must be at least 0 and below 1, not {dropout}")


def check_gold(gold: Float[Tensor, " batch"], *, what: str) -> None:
    """Raises ModelError where a gold answer is NaN; `what` says what was to be learnt."""
    if missing := int(gold.isnan().sum()):
        raise ModelError(
            f"{missing} of {len(gold)} examples in a batch have no gold answer, {what} is expected: a task is trained "
            "on, and its loss measured on, labelled examples only (see its columns and `labels`)"
        )
