"""Answering in free text."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers.cache_utils import DynamicCache

from dfwe.families.causal_lm.labels import positions_of
from dfwe.families.text.decoding import GreedyRows, end_ids


def greedy(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch prompt"],
    attention_mask: Int[Tensor, "batch prompt"],
    max_new_tokens: int,
    pad_id: int,
) -> Int[Tensor, "batch target"]:
    """Return ids of the most likely continuation, token by token, without the prompt; filled up with padding.

    The same as `generate` without sampling, beams, penalties and tokens that are forced or suppressed. Prompts are
    filled up on their left. Rows that have ended leave the batch, so that one long answer does not keep all others
    busy.
    """
    positions = positions_of(attention_mask, model=model)
    if "past_key_values" not in signature(model.forward).parameters:  # a state of another kind, which generate knows
        settings = {"do_sample": False, "num_beams": 1, "max_new_tokens": max_new_tokens, "pad_token_id": pad_id}
        ids: Tensor = model.generate(input_ids=input_ids, attention_mask=attention_mask, **settings)
        return ids[:, input_ids.shape[1] :]
    ends = end_ids(model, device=input_ids.device)
    rows = GreedyRows(len(input_ids), max_new_tokens=max_new_tokens, pad_id=pad_id, ends=ends)
    cache, tokens = DynamicCache(config=model.config), input_ids
    for step in range(max_new_tokens):
        logits = model(
            input_ids=tokens,
            attention_mask=attention_mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        tokens, positions = logits[:, -1].argmax(-1, keepdim=True), positions[:, -1:] + 1
        if not rows.add(tokens, step=step):
            break
        attention_mask = torch.cat([attention_mask, torch.ones_like(tokens)], dim=1)
        attention_mask, tokens, positions = rows.compact(cache, attention_mask, tokens, positions)
    return rows.written
