"""The encoder, compiled once that pays."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dfwe.errors import ConfigurationError
from dfwe.families.seq2seq.inference.encoder import encode

When = Literal["auto", "always", "never"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Compiling:
    """Whether to compile.

    `auto` expects compiling to take `seconds` and evaluations then to be `gain` times faster (benchmarks/candidate.py
    measures both), and goes back if they turn out not to be faster; `always` and `never` do not ask.

    Raises:
        ConfigurationError: a gain that is none.
    """

    when: When
    seconds: float
    gain: float

    def __post_init__(self) -> None:
        if self.gain <= 0:
            raise ConfigurationError(f"trainer.compile.gain must be above 0, not {self.gain}")

    def pays(self, *, seconds: float, times: int) -> bool:
        """Whether to compile before so many more evaluations that take that long each."""
        if self.when != "auto":
            return self.when == "always"
        return times * seconds * (1 - 1 / self.gain) > self.seconds


class CompiledEncode:
    """`encode` for the candidates of one search: compiled from the moment on at which that pays.

    What it decides depends on the times that it is told alone: a search that is resumed, and tells the times in its
    journal, decides the same. Float32 on a CPU is never compiled: the kernels of `fast_kernels` are faster there than
    what compiling makes.
    """

    def __init__(self, compiling: Compiling) -> None:
        self._compiling, self._wanted = compiling, False
        self._model: Any = None
        self._encoder: Any = None
        self._seconds: list[float] = []  # of the first three: plain, compiling, compiled

    def tell(self, seconds: float, *, left: int) -> None:
        """Takes what one whole evaluation took, and how many are to come."""
        self._seconds.append(seconds)
        if len(self._seconds) == 1:
            self._wanted = self._compiling.pays(seconds=seconds, times=left)
        elif len(self._seconds) == 3 and self._wanted and self._compiling.when == "auto":
            self._wanted = seconds < self._seconds[0]
            if not self._wanted:
                log.info(
                    "compiled, an evaluation takes %.1f s instead of %.1f s: as before then", seconds, self._seconds[0]
                )

    def __call__(
        self, model: Any, *, input_ids: Int[Tensor, "batch source"], attention_mask: Int[Tensor, "batch source"]
    ) -> Float[Tensor, "batch source width"]:
        """The encoder's states."""
        if not self._wanted or (self._model is not model and not self._can(model)):
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
        if not _has_compiler():
            log.warning("compiling the encoder would pay, but there is no C++ compiler: install one, or go on slower")
            self._wanted = False
        return self._wanted


def _has_compiler() -> bool:
    from torch._inductor import cpp_builder, exc  # a second, which most studies need not wait

    try:
        cpp_builder.get_cpp_compiler()
    except exc.InvalidCxxCompiler:
        return False
    return True
