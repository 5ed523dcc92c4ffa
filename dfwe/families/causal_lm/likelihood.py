"""How likely a decoder finds the passages of a text: what their perplexity is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dfwe.families.batching import token_batches
from dfwe.families.scorer import Batch, SplitReader
from dfwe.families.text.datamodule import IGNORE
from dfwe.families.tokens import pad
from dfwe.metrics.likelihood import likelihood_text
from dfwe.models.dispatch import input_device
from dfwe.records import Answer, Instance


class PassageReader(SplitReader):
    """Log-likelihoods of passages, each on its own: all tokens but the first, which nothing comes before.

    A passage of more than `window` tokens is read in windows, each of which begins with the last token of the one
    before: every token but the passage's first is scored once.
    """

    is_closed = False

    def __init__(self, instances: Sequence[Instance], *, tokenizer: Any, window: int, max_tokens: int) -> None:
        self.instances = tuple(instances)
        self._max_tokens, self._pad_id = max_tokens, tokenizer.pad_token_id
        ids: list[list[int]] = [tokenizer(instance.source)["input_ids"] for instance in self.instances]
        self._windows = [windows(of_passage, size=window) for of_passage in ids]

    def groups(self) -> list[list[int]]:
        """Return the places of passages of similar lengths."""
        return token_batches([sum(map(len, parts)) for parts in self._windows], max_tokens=self._max_tokens)

    def batch(self, members: Sequence[int]) -> Batch:
        """Return these passages' windows as tensors, and whose they are."""
        parts = [(place, part) for place, member in enumerate(members) for part in self._windows[member]]
        rows = [part for _, part in parts]
        inputs = {
            "input_ids": pad(rows, value=self._pad_id),
            "attention_mask": pad([[1] * len(row) for row in rows], value=0),
            "labels": pad([row[1:] for row in rows], value=IGNORE),
            "passage": torch.tensor([place for place, _ in parts]),
        }
        return Batch(tuple(members), inputs)

    def answers(self, model: Any, batch: Any) -> list[Answer]:
        """Return each passage's log-likelihood and number of tokens, as a text that metrics read."""
        device = input_device(model)
        inputs: dict[str, Tensor] = {name: tensor.to(device) for name, tensor in batch.inputs.items()}
        labels = inputs["labels"]
        logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False).logits
        losses = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().transpose(1, 2), labels, ignore_index=IGNORE, reduction="none"
        )
        size = len(batch.members)
        totals = torch.zeros(size, dtype=torch.float64, device=device)
        totals.index_add_(0, inputs["passage"], -losses.double().sum(1))
        numbers = torch.zeros(size, dtype=torch.int64, device=device)
        numbers.index_add_(0, inputs["passage"], (labels != IGNORE).sum(1))
        pairs = zip(totals.tolist(), numbers.tolist(), strict=True)
        return [Answer(likelihood_text(total, num_tokens=number)) for total, number in pairs]


def windows(ids: Sequence[int], *, size: int) -> list[list[int]]:
    """Return the ids in windows of at most `size`, each beginning with the last id of the one before."""
    return [list(ids[begin : begin + size]) for begin in range(0, max(1, len(ids) - 1), size - 1)]
