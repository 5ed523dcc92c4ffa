"""Answering from a closed set: the candidate with the highest log-likelihood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.modeling_outputs import MoEModelOutput  # has what mixtures of experts read of an encoder, too

from dfwe.families.fast.cross_attention import unprojected_source
from dfwe.families.seq2seq.inference.encoder import computing_bias, encode, t5_attention
from dfwe.families.text.trie import PackedTries, forced_log_likelihoods
from dfwe.families.tokens import additive_mask, first_position, pad

_HALVES = "encoder-decoder"  # Transformers' type of two models of BERT's kind


def candidate_log_likelihoods(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch source"],
    attention_mask: Int[Tensor, "batch source"],
    tries: PackedTries,
) -> Float[Tensor, " candidates"]:
    """Return log p(candidate | source of its row), the end token included, of all rows' candidates in order.

    The source is encoded once. In T5-like models and those of BERT-like halves, one decoder pass runs over each row's
    tree of candidates: a node sees its way from the start alone and stands at its depth, so that every candidate is
    scored as in a teacher-forced pass of its own. In other models, such as BART, each candidate has its own row.
    """
    encoded = encode(model, input_ids=input_ids, attention_mask=attention_mask)
    attention = t5_attention(model.get_decoder())
    if attention is None and model.config.model_type != _HALVES:
        return _teacher_forced(model, encoded=encoded, attention_mask=attention_mask, tries=tries)
    tokens = tries.tokens.clone()
    tokens[:, 0] = model.generation_config.decoder_start_token_id
    queries = tokens.shape[1]
    with _positions(model, tries.depths, attention=attention) as more, unprojected_source(model, num_queries=queries):
        logits: Tensor = model(
            encoder_outputs=MoEModelOutput(last_hidden_state=encoded),
            attention_mask=attention_mask,
            decoder_input_ids=tokens,
            decoder_attention_mask=_mask(model.get_decoder(), tries).expand(len(tokens), -1, -1, -1),
            use_cache=False,
            **more,
        ).logits
    return tries.log_likelihoods(logits)


def _teacher_forced(
    model: Any,
    *,
    encoded: Float[Tensor, "batch source width"],
    attention_mask: Int[Tensor, "batch source"],
    tries: PackedTries,
) -> Float[Tensor, " candidates"]:
    """Return log p of all candidates, of as many at once as the batch has rows: it was cut to what memory holds."""
    rows, answers = tries.answers()
    scores = []
    for first in range(0, len(rows), len(encoded)):
        part, ids = rows[first : first + len(encoded)], answers[first : first + len(encoded)]
        targets = pad(ids, value=0).to(encoded.device)
        start = torch.full_like(targets[:, :1], model.generation_config.decoder_start_token_id)
        logits = model(
            encoder_outputs=MoEModelOutput(last_hidden_state=encoded[part]),
            attention_mask=attention_mask[part],
            decoder_input_ids=torch.cat([start, targets[:, :-1]], dim=1),
            use_cache=False,
        ).logits
        is_real = pad([[1] * len(answer) for answer in ids], value=0).to(encoded.device)
        scores.append(forced_log_likelihoods(logits, targets=targets, is_real=is_real))
    return torch.cat(scores)


def _mask(decoder: Any, tries: PackedTries) -> Tensor:
    if decoder.config._attn_implementation == "eager":  # which adds the mask
        return additive_mask(tries.visible, dtype=decoder.dtype)
    return tries.visible


@contextmanager
def _positions(model: Any, depths: Int[Tensor, "rows nodes"], *, attention: Any | None) -> Iterator[dict[str, Tensor]]:
    """Make the decoder count positions by depth, by T5's attention; without it, give the arguments that do so."""
    if attention is None:
        yield {"decoder_position_ids": first_position(model.decoder) + depths}
        return
    with computing_bias(attention, _bias_by_depth(attention, depths)):
        yield {}


def _bias_by_depth(attention: Any, depths: Int[Tensor, "rows nodes"]) -> Callable[..., Tensor]:
    def compute_bias(*_: Any, **__: Any) -> Float[Tensor, "rows heads nodes nodes"]:
        buckets = attention._relative_position_bucket(
            depths[:, None, :] - depths[:, :, None],
            bidirectional=False,
            num_buckets=attention.relative_attention_num_buckets,
            max_distance=attention.relative_attention_max_distance,
        )
        bias: Tensor = attention.relative_attention_bias(buckets).permute(0, 3, 1, 2)
        return bias

    return compute_bias
