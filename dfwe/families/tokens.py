"""Rows of token ids: padded to one tensor, and what cutting them loses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dfwe.errors import DataError
from dfwe.records import Instance

log = logging.getLogger(__name__)

Truncation = Literal["context", "reference"]


def pad(rows: Sequence[Sequence[int]], *, value: int) -> Tensor:
    """Return the rows as one int64 tensor [rows, longest], filled up on the right."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows], dtype=torch.int64)


def check_truncation(
    instances: Sequence[Instance], cuts: Sequence[int], *, subject: str, max_tokens: int, most: float, loses: str
) -> None:
    """Check how many instances lose tokens of their `subject`; `cuts` has how many each loses.

    Raises:
        DataError: more than the share `most` of the instances do; fewer are a warning.
    """
    cut = [(instance, tokens) for instance, tokens in zip(instances, cuts, strict=True) if tokens]
    if not cut:
        return
    first, tokens = cut[0]
    message = (
        f"{subject} of {len(cut)} of {len(instances)} examples is longer than model.max_source_tokens={max_tokens}, "
        f"the first is that of {first.instance_id}, by {tokens} tokens"
    )
    if len(cut) > most * len(instances):
        raise DataError(
            f"{message}: raise model.max_source_tokens, or data.max_truncated_fraction, the share that may be cut"
        )
    log.warning("%s: they lose their %s", message, loses)


def source_ids(instance: Instance, *, tokenizer: Any, max_tokens: int) -> tuple[list[int], int]:
    """Return the ids of the source text, without the oldest that are too many, and how many tokens the prompt lost."""
    encoded = tokenizer(instance.source, return_offsets_mapping=True, return_special_tokens_mask=True)
    ids: list[int] = encoded["input_ids"]
    excess = len(ids) - max_tokens
    if excess <= 0:
        return ids, 0
    special, offsets = encoded["special_tokens_mask"], encoded["offset_mapping"]
    droppable = [i for i in range(len(ids)) if not special[i]]
    num_context = sum(offsets[i][0] < len(instance.context) for i in droppable)
    dropped = set(droppable[:excess])
    return [token for i, token in enumerate(ids) if i not in dropped], max(0, excess - num_context)


def additive_mask(seen: Tensor, *, dtype: torch.dtype) -> Tensor:
    """Return 0 where a position sees another and the lowest number elsewhere: what attention adds to its scores."""
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)


def num_positions(model: nn.Module) -> int | None:
    """Return how many tokens a model has learnt positions for; None where positions are not learnt."""
    tables = (module for name, module in model.named_modules() if name.endswith(("position_embeddings", "wpe")))
    sizes = [module.num_embeddings for module in tables if isinstance(module, nn.Embedding)]
    return min(sizes) - first_position(model) if sizes else None


def first_position(model: nn.Module) -> int:
    """Return the id of the first token's position: the one behind the padding's for models like RoBERTa, else 0."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            return module.padding_idx + 1
    return 0
