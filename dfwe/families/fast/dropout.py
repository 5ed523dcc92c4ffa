"""Dropout whose random bits cost a CPU a fifth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_BITS = 16  # of each element's draw
_DRAWS = 2**_BITS


class LightDropout(TorchFunctionMode):
    """Within it, dropout on a CPU is `light_dropout`, and attention with dropout is plain products.

    torch draws a random number an element, one after the other on one thread (but on Intel's processors): a fifth of a
    step in bfloat16. And attention with dropout has no fused kernel on a CPU: torch looks for queries that see nothing
    instead, which takes as long as the softmax. Here such a query sees everything (no encoder-decoder has one).

    What drops nothing is computed as ever, bit for bit.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the function's result."""
        arguments = kwargs or {}
        if func is functional.dropout and arguments["training"] and _drops(args[0], arguments["p"]):
            return light_dropout(args[0], arguments["p"])
        if func is functional.scaled_dot_product_attention and _drops(args[0], arguments.get("dropout_p", 0.0)):
            return _attention(*args, **arguments)
        return func(*args, **arguments)


def light_dropout(values: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    """Return the values, each zero with probability `p` rounded to 1/65536, the others divided by one minus that.

    Draws from torch's generator, other numbers than torch's own dropout.
    """
    dropped = min(round(p * _DRAWS), _DRAWS - 1)
    words = torch.empty(-(-values.numel() * _BITS // 64), dtype=torch.int64).random_(-(2**63), None)
    draws = words.view(torch.int16)[: values.numel()].view(values.shape)
    mask = (draws >= dropped - _DRAWS // 2).to(values.dtype)
    scaled: Tensor = values * mask.mul_(_DRAWS / (_DRAWS - dropped))
    return scaled


def _drops(values: Tensor, p: float) -> bool:
    return values.device.type == "cpu" and 0.0 < p < 1.0


def _attention(
    query: Float[Tensor, "batch heads queries width"],
    key: Float[Tensor, "batch key_heads keys width"],
    value: Float[Tensor, "batch key_heads keys other_width"],
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[Tensor, "batch heads queries other_width"]:
    """Return dropout(softmax(scale q k' + mask)) v, in the number format that autocast has for it."""
    if enable_gqa:  # several heads share keys and values
        num = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(num, dim=-3), value.repeat_interleave(num, dim=-3)
    if torch.is_autocast_enabled("cpu"):
        query, key, value = (tensor.to(torch.get_autocast_dtype("cpu")) for tensor in (query, key, value))
    with torch.autocast("cpu", enabled=False):
        scores = (query * (query.shape[-1] ** -0.5 if scale is None else scale)) @ key.transpose(-1, -2)
        if is_causal:
            attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, torch.finfo(scores.dtype).min)
        elif attn_mask is not None:
            scores = scores + attn_mask.to(scores.dtype)
        return light_dropout(scores.softmax(-1), dropout_p) @ value
