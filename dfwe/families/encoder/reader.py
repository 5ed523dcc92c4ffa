"""The answers of a model with heads on one task's split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from dfwe.families.batching import token_batches
from dfwe.families.encoder.data import SentenceSplit, batch_on, sentence_batch
from dfwe.families.scorer import Batch, SplitReader
from dfwe.records import Answer


class HeadReader(SplitReader):
    """Answers to a split's instances, by the head of its task.

    At most `max_tokens` tokens are read at once, padding and both sentences of a pair included.
    """

    def __init__(self, split: SentenceSplit, *, max_tokens: int) -> None:
        self._split, self._max_tokens = split, max_tokens
        self.instances = split.instances
        self.is_closed = split.is_closed

    def groups(self) -> list[list[int]]:
        """Return the places of instances of similar lengths."""
        sentences = max((len(example) for example in self._split.tokens), default=1)
        return token_batches(list(self._split.lengths), max_tokens=self._max_tokens // sentences)

    def batch(self, members: Sequence[int]) -> Batch:
        """Return these instances as tensors."""
        return Batch(tuple(members), sentence_batch(self._split, members))

    def answers(self, model: Any, batch: Any) -> list[Answer]:
        """Return the batch's answers, in order; ModelError where the model has no head for the task."""
        head = model.head(self._split.task)
        device: torch.device = next(model.parameters()).device
        outputs = model(batch_on(device, batch.inputs))
        scores = head.label_scores(outputs)
        rows = [None] * len(batch.members) if scores is None else list(scores.float().cpu().numpy())
        return [Answer(text, row) for text, row in zip(head.answers(outputs), rows, strict=True)]
