"""Answering in free text."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from dfwe.families.fast.cross_attention import unprojected_source
from dfwe.families.seq2seq.inference.encoder import encode_in_parts
from dfwe.families.text.decoding import end_ids

_COMPACT = 0.75  # of the rows at most still going: then the finished ones leave the batch and its cache


def greedy(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch source"],
    attention_mask: Int[Tensor, "batch source"],
    max_new_tokens: int,
    max_tokens: int,
) -> Int[Tensor, "batch target"]:
    """Return ids of the most likely continuation, token by token, without the start token; filled up with padding.

    The same as `generate` without sampling or beams. The source is read in parts of `max_tokens`; rows that have ended
    leave the batch, so that one long answer does not keep all others busy.
    """
    settings = model.generation_config
    ends = end_ids(model, device=input_ids.device)
    encoded = encode_in_parts(model, input_ids=input_ids, attention_mask=attention_mask, max_tokens=max_tokens)
    ids = torch.full((len(input_ids), max_new_tokens), settings.pad_token_id, device=input_ids.device)
    tokens = torch.full((len(input_ids), 1), settings.decoder_start_token_id, device=input_ids.device)
    rows = torch.arange(len(input_ids), device=input_ids.device)  # of `ids`, for each row of the batch
    going = torch.ones_like(rows, dtype=torch.bool)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    with unprojected_source(model, num_queries=max_new_tokens):
        for step in range(max_new_tokens):
            logits = model(
                encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
                attention_mask=attention_mask,
                decoder_input_ids=tokens,
                past_key_values=cache,
                use_cache=True,
            ).logits
            tokens = logits[:, -1].argmax(-1, keepdim=True)
            ids[rows[going], step] = tokens[going, 0]
            going = going & ~torch.isin(tokens[:, 0], ends)
            if not bool(going.any()):
                break
            if int(going.sum()) <= _COMPACT * len(going):
                alive = going.nonzero()[:, 0]
                cache.batch_select_indices(alive)
                encoded, attention_mask, tokens, rows, going = (
                    tensor[alive] for tensor in (encoded, attention_mask, tokens, rows, going)
                )
    return ids
