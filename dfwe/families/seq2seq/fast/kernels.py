"""Faster CPU kernels for the forward pass that the model's own code asks for: the same function, rounded elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from transformers.activations import NewGELUActivation

# Below this width a kernel takes less time than choosing it does.
_LEAST_WIDTH = 256


@contextmanager
def fast_kernels(model: nn.Module) -> Iterator[None]:
    """Within it, a wide float32 model on a CPU computes its forward passes faster; other models as ever.

    Matrix products go to oneDNN, whose code knows every CPU's widest registers (torch asks MKL, which knows Intel's
    best), and T5's GELU is one kernel instead of eight. The results are those of the model's own code up to rounding.
    Not for training: gradients are not kept.
    """
    with ExitStack() as stack:
        if _is_wide_on_cpu(model, dtype=torch.float32):
            for module, forward in _fusible(model):
                module.forward = forward
                stack.callback(delattr, module, "forward")  # the class's own is there again
            if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
                stack.enter_context(_OneDnn())
        yield


def fuse(model: nn.Module) -> None:
    """Gives a wide bfloat16 model on a CPU faster kernels for good; other models are left alone.

    T5's GELU becomes one kernel, and so does its norm. Attention stays torch's fused kernel: as two matrix products it
    is twice as fast, but its scores are rounded to bfloat16, and 2% of a trained model's answers then differ.
    """
    if _is_wide_on_cpu(model, dtype=torch.bfloat16):
        for module, forward in _fusible(model):
            module.forward = forward


def _is_wide_on_cpu(model: nn.Module, *, dtype: torch.dtype) -> bool:
    first = next(model.parameters())
    widest = max((module.in_features for module in model.modules() if isinstance(module, nn.Linear)), default=0)
    return widest >= _LEAST_WIDTH and first.device.type == "cpu" and first.dtype == dtype


def _fusible(model: nn.Module) -> Iterator[tuple[nn.Module, Callable[[Tensor], Tensor]]]:
    """Modules that one kernel can compute, each with the function that does."""
    for module in model.modules():
        if isinstance(module, NewGELUActivation):
            yield module, partial(functional.gelu, approximate="tanh")
        elif type(module).__name__ == "T5LayerNorm" and module.weight.dtype == torch.bfloat16:
            yield module, partial(_rms_norm, module)


def _rms_norm(module: Any, states: Tensor) -> Tensor:
    return functional.rms_norm(states, module.weight.shape, module.weight, module.variance_epsilon)


class _OneDnn(TorchFunctionMode):
    """Sends float32 linear layers to oneDNN; torch itself sends those in bfloat16."""

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is functional.linear and args[0].dtype == torch.float32:
            return _linear(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(input, weight, bias, "none", [], "")
    return product
