"""Answering in free text."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

GREEDY = {"do_sample": False, "num_beams": 1}
# What the benchmark's code does: published numbers used it. Sampling makes a score random; here it is seeded.
REFERENCE = {"do_sample": True, "num_beams": 2, "repetition_penalty": 5.0, "max_length": 20}


def greedy(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch source"],
    attention_mask: Int[Tensor, "batch source"],
    max_new_tokens: int,
) -> Int[Tensor, "batch target"]:
    """Ids of the most likely continuation, token by token."""
    ids: Tensor = model.generate(
        input_ids=input_ids, attention_mask=attention_mask, max_new_tokens=max_new_tokens, **GREEDY
    )
    return ids


def reference(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch source"],
    attention_mask: Int[Tensor, "batch source"],
    seed: int,
) -> Int[Tensor, "batch target"]:
    """Ids by the reference's decoding, drawn from a stream of that seed; torch's global state is left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        ids: Tensor = model.generate(input_ids=input_ids, attention_mask=attention_mask, **REFERENCE)
    return ids
