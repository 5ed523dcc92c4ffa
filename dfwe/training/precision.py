"""Which number format to compute in, and where; and whether there was room."""

from __future__ import annotations

from typing import Literal, cast

import torch

from dfwe.errors import ConfigurationError

Precision = Literal["32-true", "bf16-mixed"]


def resolve_precision(precision: str, *, accelerator: str) -> Precision:
    """Return the precision for Lightning: `auto` is bf16-mixed where the hardware multiplies bf16, else 32-true."""
    if precision != "auto":
        return cast(Precision, precision)
    if resolve_device(accelerator).type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    capabilities = torch.cpu.get_capabilities()
    has_bf16 = capabilities.get("amx_bf16", False) or capabilities.get("avx512_bf16", False)
    return "bf16-mixed" if has_bf16 else "32-true"


def resolve_device(accelerator: str) -> torch.device:
    """Return the device that Lightning would take."""
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise ConfigurationError(f"trainer.accelerator={accelerator}: torch finds no CUDA device here; set auto or cpu")
    wants_gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.device("cuda" if wants_gpu else "cpu")


def is_out_of_memory(error: Exception) -> bool:
    """Return whether it is: CUDA has an exception of its own; the CPU's allocator says it in its message."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
