"""Collectors of statistics, and the examples on which they measure an expert, whatever its family."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfwe.models.dispatch import input_device

Tell = Callable[[float], None]


class CalibrationExample(ABC):
    """One training example alone, so that nothing is padded, and what a family's model makes of it.

    `is_closed` says whether the answer is one of a closed set.
    """

    is_closed: bool

    @abstractmethod
    def to(self, device: torch.device) -> CalibrationExample:
        """Return the same on that device."""

    @abstractmethod
    def read(self, model: Any) -> None:
        """Run one forward pass over the example and its gold answer, as training does."""

    @abstractmethod
    def loss(self, model: Any) -> Float[Tensor, ""]:
        """Return the training's loss of the gold answer."""

    @abstractmethod
    def gold_log_likelihood(self, model: Any) -> Float[Tensor, ""]:
        """Return log p(gold answer)."""

    @property
    @abstractmethod
    def gold_place(self) -> int | None:
        """Place of the gold answer in the closed set; None where there is no set, or the answer is not in it."""

    @abstractmethod
    def closed_log_likelihoods(self, model: Any) -> Float[Tensor, " answers"]:
        """Return log p of each answer of the closed set, normalised over the set."""

    @abstractmethod
    def drawn_log_likelihoods(self, model: Any, *, samples: int, seed: int) -> Iterator[Float[Tensor, ""]]:
        """Yield log p of answers drawn from the model, one after the other; for examples without a closed set."""


Questions = Sequence[CalibrationExample]
Reads = Literal["examples", "splits"]


class Collector(ABC):
    """Measures experts on their own training data, for methods that need it; a frozen dataclass."""

    examples: int  # that each expert's statistics are measured on
    reads: ClassVar[Reads] = "examples"  # or the whole train splits, as SentenceSplits of models with heads
    together: ClassVar[bool] = False  # whether an expert's statistics depend on the other experts

    @abstractmethod
    def collect(
        self, models: Sequence[Any], *, questions: Sequence[Questions], seed: int, tell: Tell
    ) -> list[dict[str, Tensor]]:
        """Return each model's statistics by the names of its tensors, measured on its own examples.

        `tell` takes the share that is done. Models are left as they were.
        """


class ExpertCollector(Collector):
    """Measures each expert by itself."""

    def collect(
        self, models: Sequence[Any], *, questions: Sequence[Questions], seed: int, tell: Tell
    ) -> list[dict[str, Tensor]]:
        """See Collector."""
        pairs = zip(models, questions, strict=True)
        return [self.measure(model, of_model, seed=seed, tell=tell) for model, of_model in pairs]

    @abstractmethod
    def measure(self, model: Any, questions: Questions, *, seed: int, tell: Tell) -> dict[str, Tensor]:
        """Return the model's statistics by the names of its unique parameters."""


def draw_places(sizes: Sequence[int], *, examples: int, seed: int) -> list[tuple[int, int]]:
    """Draw so many rows of splits of these sizes together, without repetition; all, if there are no more.

    Rows come as the split's place and the row in it.
    """
    rows = [(place, row) for place, size in enumerate(sizes) for row in range(size)]
    indices = np.random.default_rng(seed).permutation(len(rows))[:examples]
    return [rows[index] for index in indices]


def add_gradients(
    total: dict[str, Tensor], value: Tensor, *, parameters: Mapping[str, Tensor], weight: float, power: int, last: bool
) -> None:
    """Add `weight` times the gradient of `value`, or its square for `power` 2; `last` frees the graph."""
    gradients = torch.autograd.grad(value, list(parameters.values()), retain_graph=not last, allow_unused=True)
    for total_of, gradient in zip(total.values(), gradients, strict=True):
        if gradient is not None and power == 2:
            total_of.addcmul_(gradient, gradient, value=weight)
        elif gradient is not None:
            total_of.add_(gradient, alpha=weight)


@contextmanager
def in_evaluation(model: nn.Module) -> Iterator[torch.device]:
    """Turn off the model's dropout and autocast; give the model's device."""
    training, device = model.training, input_device(model)
    model.eval()
    try:
        # Lightning validates under its own autocast: here the weights alone say how numbers are kept
        with torch.autocast(device.type, enabled=False):
            yield device
    finally:
        model.train(training)
