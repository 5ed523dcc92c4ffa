"""Reading the source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dfwe.families.batching import token_batches


def encode(
    model: Any, *, input_ids: Int[Tensor, "batch source"], attention_mask: Int[Tensor, "batch source"]
) -> Float[Tensor, "batch source width"]:
    """Return the encoder's states.

    T5's positions and the mask of padding are one bias, added up once a batch; its own code does so in every layer.
    """
    encoder = model.get_encoder()
    masked = bool((attention_mask == 0).any())
    first = t5_attention(encoder) if masked else None
    with nullcontext() if first is None else computing_bias(first, _masked(first, attention_mask)):
        states: Tensor = encoder(
            input_ids=input_ids, attention_mask=attention_mask if masked and first is None else None
        ).last_hidden_state
    return states


def encode_in_parts(
    model: Any,
    *,
    input_ids: Int[Tensor, "batch source"],
    attention_mask: Int[Tensor, "batch source"],
    max_tokens: int,
) -> Float[Tensor, "batch source width"]:
    """Return the encoder's states, read in parts of so many tokens, padding included; those of padding mean nothing.

    Writing goes faster with more rows at once, as each step reads the whole decoder; reading, on a CPU, with fewer.
    """
    lengths = attention_mask.sum(1).tolist()
    groups = token_batches(lengths, max_tokens=max_tokens)
    if len(groups) == 1:
        return encode(model, input_ids=input_ids, attention_mask=attention_mask)
    states: Tensor | None = None
    for rows in groups:
        width = max(lengths[row] for row in rows)
        part = encode(model, input_ids=input_ids[rows, :width], attention_mask=attention_mask[rows, :width])
        if states is None:
            states = part.new_zeros(*input_ids.shape, part.shape[-1])
        states[rows, :width] = part
    assert states is not None
    return states


@contextmanager
def computing_bias(attention: Any, compute_bias: Callable[..., Tensor]) -> Iterator[None]:
    """Let T5's first attention compute the bias of all layers by that function."""
    attention.compute_bias = compute_bias
    try:
        yield
    finally:
        del attention.compute_bias  # the class's own is there again


def t5_attention(stack: Any) -> Any | None:
    """Return the self-attention that computes T5's relative positions for the whole stack; None in other models.

    In UMT5 each layer computes its own.
    """
    try:
        first, *later = (block.layer[0].SelfAttention for block in stack.block)
        return None if any(layer.has_relative_attention_bias for layer in later) else first
    except AttributeError:
        return None


def _masked(attention: Any, attention_mask: Tensor) -> Callable[..., Tensor]:
    original = attention.compute_bias

    def compute_bias(*args: Any, **kwargs: Any) -> Float[Tensor, "batch heads source source"]:
        bias: Tensor = original(*args, **kwargs)
        return bias.masked_fill(attention_mask[:, None, None] == 0, torch.finfo(bias.dtype).min).contiguous()

    return compute_bias
