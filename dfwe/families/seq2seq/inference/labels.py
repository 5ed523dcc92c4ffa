"""Answering from a closed set: the candidate with the highest log-likelihood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from dfwe.errors import ModelError
from dfwe.families.fast.cross_attention import unprojected_source
from dfwe.families.seq2seq.inference.encoder import computing_bias, encode, t5_attention
from dfwe.families.text.trie import PackedTries
from dfwe.families.tokens import additive_mask, first_position


def candidate_log_likelihoods(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch source"],
    attention_mask: Int[Tensor, "batch source"],
    tries: PackedTries,
) -> Float[Tensor, " candidates"]:
    """Return log p(candidate | source of its row), the end token included, of all rows' candidates in order.

    The source is encoded once. One decoder pass runs over each row's tree of candidates: a node sees its way from the
    start alone and stands at its depth, so that every candidate is scored as in a teacher-forced pass of its own.

    Raises:
        ModelError: the decoder is of a kind whose positions dfwe cannot set.
    """
    encoded = encode(model, input_ids=input_ids, attention_mask=attention_mask)
    tokens = tries.tokens.clone()
    tokens[:, 0] = model.generation_config.decoder_start_token_id
    queries = tokens.shape[1]
    with _positions(model, tries.depths) as more, unprojected_source(model, num_queries=queries):
        logits: Tensor = model(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
            attention_mask=attention_mask,
            decoder_input_ids=tokens,
            decoder_attention_mask=_mask(model.get_decoder(), tries).expand(len(tokens), -1, -1, -1),
            use_cache=False,
            **more,
        ).logits
    return tries.log_likelihoods(logits)


def _mask(decoder: Any, tries: PackedTries) -> Tensor:
    if decoder.config._attn_implementation == "eager":  # which adds the mask
        return additive_mask(tries.visible, dtype=decoder.dtype)
    return tries.visible


@contextmanager
def _positions(model: Any, depths: Int[Tensor, "rows nodes"]) -> Iterator[dict[str, Tensor]]:
    """Make the decoder count positions by depth; give the arguments that do so, where arguments can."""
    if model.config.model_type == "encoder-decoder":
        yield {"decoder_position_ids": first_position(model.decoder) + depths}
        return
    attention = t5_attention(model.get_decoder())
    if attention is None:
        raise ModelError(
            f"labels are scored with T5-like models and with encoder-decoders of BERT-like halves, not with "
            f"'{model.config.model_type}': use decode=reference, or greedy answers"
        )
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
