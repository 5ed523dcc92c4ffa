"""Answering in free text."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import MoEModelOutput  # has what mixtures of experts read of an encoder, too

from dfwe.families.fast.cross_attention import unprojected_source
from dfwe.families.seq2seq.inference.encoder import encode_in_parts
from dfwe.families.text.decoding import GreedyRows, end_ids


def greedy(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch source"],
    attention_mask: Int[Tensor, "batch source"],
    max_new_tokens: int,
    max_tokens: int,
    pad_id: int,
) -> Int[Tensor, "batch target"]:
    """Return ids of the most likely continuation, token by token, without the start token; filled up with padding.

    The same as `generate` without sampling, beams, penalties and tokens that are forced or suppressed. The source is
    read in parts of `max_tokens`; rows that have ended leave the batch, so that one long answer does not keep all
    others busy.
    """
    settings = model.generation_config
    ends = end_ids(model, device=input_ids.device)
    encoded = encode_in_parts(model, input_ids=input_ids, attention_mask=attention_mask, max_tokens=max_tokens)
    rows = GreedyRows(len(input_ids), max_new_tokens=max_new_tokens, pad_id=pad_id, ends=ends)
    tokens = torch.full((len(input_ids), 1), settings.decoder_start_token_id, device=input_ids.device)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    with unprojected_source(model, num_queries=max_new_tokens):
        for step in range(max_new_tokens):
            logits = model(
                encoder_outputs=MoEModelOutput(last_hidden_state=encoded),
                attention_mask=attention_mask,
                decoder_input_ids=tokens,
                past_key_values=cache,
                use_cache=True,
            ).logits
            tokens = logits[:, -1].argmax(-1, keepdim=True)
            if not rows.add(tokens, step=step):
                break
            encoded, attention_mask, tokens = rows.compact(cache, encoded, attention_mask, tokens)
    return rows.written
