"""Derive the shapes and types of a merge's tensors from those of its models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce

import torch

from dfwe.errors import MergeError
from dfwe.models.checkpoint import Checkpoint, TensorSpec

_TIED = ("lm_head.weight", "shared.weight", "embed_tokens.weight", "cls.predictions.decoder.weight", "wte.weight")
_RECOMPUTED = ("inv_freq", "position_ids", "attn.bias", "masked_bias", "num_batches_tracked")
_WRAPPERS = ("_orig_mod.", "module.")


def common_specs(models: Sequence[Checkpoint], *, dtype: str | None) -> dict[str, TensorSpec]:
    """Return the merge's tensors: each is in every model, in one shape, of numbers of one kind.

    Numbers have the type `dtype`, or else the smallest that holds all models' without loss: float16 with bfloat16 gives
    float32.

    Raises:
        MergeError: a model lacks a tensor, or has it in another shape or of another kind.
    """
    names: frozenset[str] = frozenset().union(*(model.names for model in models))
    for model in models:
        if lacking := sorted(names - model.names):
            raise MergeError(_lacking(model, lacking, models=models))
    return {name: _common_spec(name, models=models, dtype=dtype) for name in sorted(names)}


def main_dtype(specs: Mapping[str, TensorSpec]) -> str | None:
    """Return the name of the type that most of the numbers have; None if there are only whole numbers."""
    counts: Counter[str] = Counter()
    for spec in specs.values():
        if spec.is_floating:
            counts[spec.dtype_name] += torch.Size(spec.shape).numel()
    return counts.most_common(1)[0][0] if counts else None


def _common_spec(name: str, *, models: Sequence[Checkpoint], dtype: str | None) -> TensorSpec:
    first, *rest = [model.spec(name) for model in models]
    for model, other in zip(models[1:], rest, strict=True):
        if (other.shape, other.is_floating) != (first.shape, first.is_floating):
            raise MergeError(
                f"'{name}' has shape {list(first.shape)} ({first.dtype_name}) in {models[0].path} and "
                f"{list(other.shape)} ({other.dtype_name}) in {model.path}: models of one merge must share their "
                "architecture"
            )
    if dtype is not None and first.is_floating:
        return TensorSpec(first.shape, getattr(torch, dtype))
    return TensorSpec(first.shape, reduce(torch.promote_types, [other.dtype for other in rest], first.dtype))


def _lacking(model: Checkpoint, lacking: Sequence[str], *, models: Sequence[Checkpoint]) -> str:
    holder = next(other for other in models if lacking[0] in other.names)
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    advice = _advice(lacking, model=model, holder=holder)
    return f"{model.path} lacks the tensor '{lacking[0]}'{more}, which {holder.path} has{advice}"


def _advice(lacking: Sequence[str], *, model: Checkpoint, holder: Checkpoint) -> str:
    """Return what to do about tensors that one model stores and another leaves out; empty where nothing helps."""
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in holder.names):
            return f": a wrapper's '{prefix}' stands before the names; save the model that is within the wrapper"
    prefix = lacking[0].split(".", 1)[0] + "."
    prefixed = [name for name in lacking if name.startswith(prefix)]
    if prefixed and all(name.removeprefix(prefix) in model.names for name in prefixed):
        return (
            f" and {model.path} has without the '{prefix}' before the name, as a model without a head: load it by the "
            f"class that {holder.path} is of, and save it"
        )
    if all(name.endswith((*_TIED, *_RECOMPUTED)) for name in lacking):
        return (
            ": such tensors are tied to others or computed anew, and some versions store them; load and save "
            f"{holder.path} by Transformers (from_pretrained, save_pretrained), which leaves them out where it can"
        )
    return ": models of one merge must share their architecture, heads and names of tensors"
