"""Answering from a closed set: the candidate with the highest log-likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput


def candidate_log_likelihoods(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch source"],
    attention_mask: Int[Tensor, "batch source"],
    candidates: Int[Tensor, "candidates target"],
    owner: Int[Tensor, " candidates"],
) -> Float[Tensor, " candidates"]:
    """log p(candidate | source of its owner), the end token included.

    `candidates` are ids closed by the end token and filled up with -100; `owner` is each one's row in the batch. The
    source is encoded once a row, and the decoder's cross-attention keys and values are computed once a row, too: the
    first decoder step runs on the rows, the rest on their candidates, from a copy of that step's cache.
    """
    encoded = model.get_encoder()(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    start = torch.full((len(input_ids), 1), model.generation_config.decoder_start_token_id, device=input_ids.device)
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    first = _logits(model, encoded=encoded, mask=attention_mask, tokens=start, cache=cache)[owner]
    logits = [first]
    if candidates.shape[1] > 1:
        cache.batch_select_indices(owner)
        previous = candidates[:, :-1].clamp(min=0)
        logits.append(_logits(model, encoded=encoded[owner], mask=attention_mask[owner], tokens=previous, cache=cache))
    log_probabilities = torch.cat(logits, dim=1).float().log_softmax(-1)
    chosen = log_probabilities.gather(-1, candidates.clamp(min=0)[..., None])[..., 0]
    return (chosen * (candidates >= 0)).sum(1)


def best_candidates(scores: Float[Tensor, " candidates"], *, sizes: Sequence[int]) -> list[int]:
    """For each row its best candidate's place in the row's own list; the first of equals."""
    return [int(row.argmax()) for row in torch.split(scores, list(sizes))]


def _logits(model: Any, *, encoded: Tensor, mask: Tensor, tokens: Tensor, cache: EncoderDecoderCache) -> Tensor:
    output = model(
        encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
        attention_mask=mask,
        decoder_input_ids=tokens,
        past_key_values=cache,
        use_cache=True,
    )
    logits: Tensor = output.logits
    return logits
