"""Models of one encoder and a head per task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from dfwe.errors import ModelError
from dfwe.families.encoder.data import SentenceBatch
from dfwe.families.encoder.heads import Head
from dfwe.families.tokens import num_positions

HEADS = "heads."  # prefix of the names of heads' parameters


class TaskModel(nn.Module, ABC):
    """A model with a head per task, whose batches name their task: see `sentence_batch`.

    Its parameters are named `encoder...` and `heads.<task>...`.
    """

    encoder: Any
    heads: nn.ModuleDict

    def _add_head(self, task: str, head: Head) -> None:
        """Add a task's head; ModelError where a module cannot have the task's name."""
        if "." in task or hasattr(self.heads, task):
            raise ModelError(f"a task with a head cannot be called '{task}': give it another name")
        self.heads[task] = head

    @cached_property
    def _num_positions(self) -> int | None:
        return num_positions(self.encoder)

    def _check_length(self, batch: SentenceBatch) -> None:
        """Check that the batch has no text that is longer than the encoder's positions; ModelError otherwise."""
        most, num = self._num_positions, batch["input_ids"].shape[1]
        if most is not None and num > most:
            raise ModelError(
                f"a text has {num} tokens, and the model {most} positions: set model.max_source_tokens={most}"
            )

    def head(self, task: str) -> Head:
        """Return the task's head; ModelError where there is none."""
        if task not in self.heads:
            raise ModelError(
                f"no head for task '{task}': the model has heads for {', '.join(self.heads) or 'no task'}; a task of "
                "a multi-head study gets one from `head` in its YAML"
            )
        head = self.heads[task]
        assert isinstance(head, Head)
        return head

    @property
    def head_parameters(self) -> frozenset[str]:
        """Names of the heads' parameters."""
        return frozenset(name for name, _ in self.named_parameters() if name.startswith(HEADS))

    def embed(self, batch: SentenceBatch) -> Float[Tensor, "rows length width"]:
        """Return the word embeddings of the batch's tokens, which `forward` takes back, changed or not."""
        embeddings: Tensor = self.encoder.get_input_embeddings()(batch["input_ids"])
        return embeddings

    @abstractmethod
    def forward(
        self, batch: SentenceBatch, *, embeddings: Float[Tensor, "rows length width"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return the outputs of the task's head; from `embeddings` where they are given, else from the tokens."""
