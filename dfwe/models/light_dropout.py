"""Dropout that costs a CPU a fifth: inside it, random bits are drawn 64 at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_BITS = 16  # of each element's draw
_DRAWS = 2**_BITS


class LightDropout(TorchFunctionMode):
    """A context in which dropout on the CPU draws 16 bits an element, and attention with dropout is plain products.

    torch's CPU kernel draws a whole random number an element, one after the other on one thread whatever the processor
    (only on Intel's it has another); in a training step in bfloat16 that is a fifth of the time. Here an element is
    dropped with probability p rounded to 1/65536, and the kept ones are divided by one minus that: the expectation is
    exact. The draws come from torch's generator, other ones than torch's own dropout takes.

    Attention with dropout has no fused kernel on a CPU. What torch does instead looks for rows that see nothing, which
    takes as long as the softmax; rows that see nothing are not supported here (they see everything).
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """The function's result; only the two are replaced, and only while they drop something."""
        kwargs = kwargs or {}
        if func is functional.dropout and _drops(args[0], kwargs.get("p", 0.5)) and kwargs.get("training", True):
            return light_dropout(args[0], kwargs.get("p", 0.5))
        if func is functional.scaled_dot_product_attention and _drops(args[0], kwargs.get("dropout_p", 0.0)):
            return _attention(*args, **kwargs)
        return func(*args, **kwargs)


def light_dropout(values: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    """The values, each zero with probability `p` (rounded to 1/65536) and else divided by one minus that."""
    dropped = round(p * _DRAWS)
    words = torch.empty(-(-values.numel() * _BITS // 64), dtype=torch.int64).random_(-(2**63), None)
    draws = words.view(torch.int16)[: values.numel()].view(values.shape)
    kept = (draws >= dropped - _DRAWS // 2).to(values.dtype)
    return values * kept.mul_(_DRAWS / (_DRAWS - dropped))


def _drops(values: Tensor, p: float) -> bool:
    return values.device.type == "cpu" and 0.0 < p < 1.0


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(scale q k' + mask) v with dropout on the softmax, in the number format that autocast gives attention."""
    assert not enable_gqa, "no encoder-decoder shares keys among heads"
    if torch.is_autocast_enabled("cpu"):
        low = torch.get_autocast_dtype("cpu")
        query, key, value = query.to(low), key.to(low), value.to(low)
    with torch.autocast("cpu", enabled=False):
        scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ key.transpose(-1, -2)
        if is_causal:
            attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
        elif attn_mask is not None:
            scores = scores + attn_mask.to(scores.dtype)
        return light_dropout(scores.softmax(-1), dropout_p) @ value
