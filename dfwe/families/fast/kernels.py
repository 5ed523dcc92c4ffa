"""Faster forward passes on CPUs: other kernels for the same functions, and a copy of the model in bfloat16."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from transformers.activations import NewGELUActivation

from dfwe.models.dispatch import is_dispatched

# Below this width a kernel takes less time than choosing it does.
_LEAST_WIDTH = 256


@contextmanager
def fast_kernels(model: nn.Module) -> Iterator[None]:
    """Let a wide float32 model on a CPU compute its forward passes faster; other models as ever.

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


class HalfCopy:
    """Weights in bfloat16 are multiplied at two to five times the speed of float32 where the hardware can.

    Autocast would cast every weight again for every batch. Scores differ from float32's in the few answers whose
    candidates are almost equally likely; what is reported in the end is evaluated in float32.
    """

    def __init__(self) -> None:
        self._copy: nn.Module | None = None

    def of(self, model: nn.Module) -> nn.Module:
        """Return the copy with the model's present weights, on its device, in evaluation mode."""
        parameters = dict(model.named_parameters())
        if self._copy is None or not _fits(self._copy, parameters):
            self._copy = _in_bfloat16(model).eval()
            _fuse(self._copy)
        else:
            with torch.no_grad():
                for name, mine in self._copy.named_parameters():
                    mine.copy_(parameters[name])
        return self._copy


def _in_bfloat16(model: nn.Module) -> nn.Module:
    """Return a copy in bfloat16, but for the frequencies of rotary positions: rounded, they turn far tokens wrongly."""
    half = copy.deepcopy(model).to(torch.bfloat16)
    for name, frequencies in model.named_buffers():
        if name.endswith("inv_freq"):
            module, _, buffer = name.rpartition(".")
            setattr(half.get_submodule(module), buffer, frequencies.clone())
    return half


def _fuse(model: nn.Module) -> None:
    """Give a wide bfloat16 model on a CPU faster kernels for good; other models are left alone.

    T5's GELU becomes one kernel, and so does its norm. Attention stays torch's fused kernel: as two matrix products it
    is twice as fast, but its scores are rounded to bfloat16, and 2% of a trained model's answers then differ.
    """
    if _is_wide_on_cpu(model, dtype=torch.bfloat16):
        for module, forward in _fusible(model):
            module.forward = forward


def _fits(bf16_model: nn.Module, parameters: dict[str, nn.Parameter]) -> bool:
    mine = dict(bf16_model.named_parameters())
    return mine.keys() == parameters.keys() and all(
        (mine[name].shape, mine[name].device) == (tensor.shape, tensor.device) for name, tensor in parameters.items()
    )


def _is_wide_on_cpu(model: nn.Module, *, dtype: torch.dtype) -> bool:
    first = next(model.parameters())
    widest = max((module.in_features for module in model.modules() if isinstance(module, nn.Linear)), default=0)
    return widest >= _LEAST_WIDTH and not is_dispatched(model) and first.device.type == "cpu" and first.dtype == dtype


def _fusible(model: nn.Module) -> Iterator[tuple[nn.Module, Callable[[Tensor], Tensor]]]:
    """Yield modules that one kernel can compute, each with the function that does."""
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
