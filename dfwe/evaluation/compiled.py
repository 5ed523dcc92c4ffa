"""The encoder, compiled once that pays."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler

from dfwe.errors import ConfigurationError
from dfwe.evaluation.encoder import encode

When = Literal["auto", "always", "never"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compiling:
    """Whether to compile, and what it was measured to cost and to bring (benchmarks/candidate.py).

    `auto` weighs the time that one evaluation took against `seconds` of compilation and `gain`, how many times faster
    an evaluation then is; `always` and `never` do not ask.

    Raises:
        ConfigurationError: another word, or a gain that is none.
    """

    when: When
    seconds: float
    gain: float

    def __post_init__(self) -> None:
        if self.when not in get_args(When):
            raise ConfigurationError(f"trainer.compile.when must be one of {get_args(When)}, not '{self.when}'")
        if self.gain <= 0:
            raise ConfigurationError(f"trainer.compile.gain must be above 0, not {self.gain}")

    def pays(self, *, seconds: float, times: int) -> bool:
        """Whether to compile before so many more evaluations that take that long each."""
        if self.when != "auto":
            return self.when == "always"
        return times * seconds * (1 - 1 / self.gain) > self.seconds


class CompiledEncode:
    """`encode` for the candidates of one search: compiled from the moment on at which `expect` finds that it pays.

    Float32 on a CPU is never compiled: the kernels of `fast_kernels` are faster there than what compiling makes.
    """

    def __init__(self, compiling: Compiling) -> None:
        self._compiling, self._wanted = compiling, False
        self._model: Any = None
        self._encoder: Any = None

    def expect(self, *, seconds: float, times: int) -> None:
        """Decides, knowing what one evaluation took and how many are to come."""
        self._wanted = self._compiling.pays(seconds=seconds, times=times)

    def __call__(
        self, model: Any, *, input_ids: Int[Tensor, "batch source"], attention_mask: Int[Tensor, "batch source"]
    ) -> Float[Tensor, "batch source width"]:
        """The encoder's states."""
        if not (self._wanted and self._can(model)):
            return encode(model, input_ids=input_ids, attention_mask=attention_mask)
        if self._model is not model:
            log.info("compiling the encoder")
            self._model, self._encoder = model, torch.compile(model.get_encoder(), dynamic=True)
        states: Tensor = self._encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states

    def _can(self, model: Any) -> bool:
        first = next(model.parameters())
        if first.device.type != "cpu":
            return True
        if first.dtype == torch.float32:
            return False
        try:
            get_cpp_compiler()
        except InvalidCxxCompiler:
            log.warning("compiling the encoder would pay, but there is no C++ compiler: install one, or go on slower")
            self._wanted = False
        return self._wanted
