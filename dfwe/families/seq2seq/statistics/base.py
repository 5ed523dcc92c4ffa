"""What a collector of statistics is, and the questions that it puts to an expert."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from dfwe.errors import ConfigurationError
from dfwe.families.seq2seq.tokenization import TokenisedSplit

Tell = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Question:
    """One training example alone, so that nothing is padded."""

    source: Int[Tensor, "1 source"]
    target: Int[Tensor, "1 target"]  # the first of the gold answers, its end token included
    candidates: tuple[tuple[int, ...], ...]  # the closed set, each with its end token; empty for free text
    max_new_tokens: int  # of a text drawn from the model

    def to(self, device: torch.device) -> Question:
        """The same on that device."""
        return Question(self.source.to(device), self.target.to(device), self.candidates, self.max_new_tokens)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """What a model reads."""
        return {"input_ids": self.source, "attention_mask": torch.ones_like(self.source)}


class Collector(ABC):
    """What measures something of experts on their own training data, for methods that need it; a frozen dataclass."""

    examples: int  # that each expert's statistics are measured on

    @property
    @abstractmethod
    def together(self) -> bool:
        """Whether an expert's statistics depend on the other experts."""

    @abstractmethod
    def collect(
        self, models: Sequence[Any], *, questions: Sequence[Sequence[Question]], seed: int, tell: Tell
    ) -> list[dict[str, Tensor]]:
        """Each model's statistics by the names of its tensors, measured on its own questions.

        `tell` takes the share that is done. Models are left as they were.
        """


def draw_questions(splits: Sequence[tuple[TokenisedSplit, int]], *, examples: int, seed: int) -> tuple[Question, ...]:
    """So many examples of these splits together, without repetition; all, if there are no more.

    Each split comes with how many tokens its answers have at most.
    """
    every = [(place, row) for place, (split, _) in enumerate(splits) for row in range(len(split))]
    drawn = np.random.default_rng(seed).permutation(len(every))[:examples]
    return tuple(_question(splits[place][0], row, splits[place][1]) for place, row in (every[i] for i in drawn))


def check_examples(examples: int) -> None:
    """ConfigurationError unless there is one at least."""
    if examples < 1:
        raise ConfigurationError(f"statistics: examples must be at least 1, not {examples}")


@contextmanager
def in_evaluation(model: nn.Module) -> Iterator[torch.device]:
    """Within it the model has no dropout and no autocast; gives the model's device."""
    training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        with torch.autocast(device.type, enabled=False):
            yield device
    finally:
        model.train(training)


def _question(split: TokenisedSplit, row: int, max_new_tokens: int) -> Question:
    tokens = split.tokens[row]
    return Question(
        torch.tensor([tokens["source"]]),
        torch.tensor([tokens["targets"][0]]),
        tuple(tuple(candidate) for candidate in tokens["candidates"]),
        max_new_tokens,
    )
