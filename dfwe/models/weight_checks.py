"""Check that a checkpoint's tensors are its model's: none missing, none left over, of the same shapes, finite."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dfwe.errors import ModelError
from dfwe.models.checkpoint import is_recomputed
from dfwe.models.dispatch import stored_tensors

log = logging.getLogger(__name__)

_MAX_NAMES = 3  # names in a message


@dataclass(frozen=True)
class LoadTolerance:
    """List what a checkpoint may lack or hold beyond what its model's class allows.

    The class allows tied and recomputed tensors to be left out, and the buffers that older versions stored.
    """

    missing: tuple[str, ...] = ()  # patterns of names that are initialised at random, with a warning
    unexpected: tuple[str, ...] = ()  # patterns of names that are left out
    heads: bool = False  # leave out parts that the model has no place for, such as another task's head

    def may_lack(self, name: str) -> bool:
        """Return whether a checkpoint may lack the tensor of that name."""
        return _matches(name, self.missing)


EXACT = LoadTolerance()
ENCODER = LoadTolerance(missing=(r"^pooler\.",), heads=True)
NEW_DECODER = LoadTolerance(missing=(r"\.crossattention\.", r"^cls\."), unexpected=(r"^(bert\.)?pooler\.",))


def check_fit(model: Any, info: Mapping[str, Any], *, tolerance: LoadTolerance, where: str) -> None:
    """Check Transformers' report of loading the model (`info`).

    Raises:
        ModelError: tensors that are missing, left over, or of another shape; names and counts them.
    """
    missing = [name for name in info["missing_keys"] if not tolerance.may_lack(name)]
    unexpected = [name for name in info["unexpected_keys"] if not _is_allowed(name, model=model, tolerance=tolerance)]
    mismatched = [_shapes(*mismatch) for mismatch in info["mismatched_keys"]]
    faults = [
        *_fault("lacks", missing),
        *_fault("has tensors that the model has no place for:", unexpected),
        *_fault("has other shapes:", mismatched),
    ]
    if faults:
        raise ModelError(
            f"{where}: the weights do not fit the model that config.json describes ({type(model).__name__}): "
            f"the checkpoint {' and '.join(faults)}{_advice(unexpected)}"
        )
    if initialised := set(info["missing_keys"]) - set(missing):
        log.warning("%s lacks %s: initialised at random", where, list_names(initialised))


def check_finite(model: nn.Module, *, where: str) -> None:
    """Raise ModelError where weights are NaN or infinite; names the tensors and counts them."""
    # a sum is finite if all its parts are: the parts are looked at only where it is not
    suspects = {name: p for name, p in stored_tensors(model).items() if not bool(torch.isfinite(p.sum()))}
    bad = [name for name, parameter in suspects.items() if not bool(parameter.isfinite().all())]
    if bad:
        raise ModelError(f"{where}: NaN or infinite values in {list_names(bad)}: nothing can be trained from these")


def list_names(names: Iterable[str]) -> str:
    """Return the first few names and the number of the others."""
    ordered = sorted(names)
    names_shown = ", ".join(ordered[:_MAX_NAMES])
    return names_shown + (f" and {len(ordered) - _MAX_NAMES} more" if len(ordered) > _MAX_NAMES else "")


def _fault(words: str, names: Sequence[str]) -> list[str]:
    return [f"{words} {list_names(names)}"] if names else []


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _is_allowed(name: str, *, model: Any, tolerance: LoadTolerance) -> bool:
    if is_recomputed(name) or _matches(name, tolerance.unexpected):
        return True
    part = name.split(".", 1)[0]  # of the model's own parts everything must be known, such as each of the layers
    return tolerance.heads and part != model.base_model_prefix and part not in dict(model.named_children())


def _shapes(name: str, stored: Sequence[int], built: Sequence[int]) -> str:
    return f"{name} {list(stored)} in place of {list(built)}"


def _advice(unexpected: Sequence[str]) -> str:
    """Return advice about names that a wrapper has prefixed."""
    for prefix in ("_orig_mod.", "module."):
        if unexpected and all(name.startswith(prefix) for name in unexpected):
            return f"; a wrapper's '{prefix}' stands before the names: save the model that is within the wrapper"
    return ""
