"""The shapes and types of a merge's tensors, from those of its models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce

import torch

from dfwe.errors import MergeError
from dfwe.models.checkpoint import Checkpoint, Form

_TIED = ("lm_head.weight", "shared.weight", "embed_tokens.weight", "cls.predictions.decoder.weight", "wte.weight")
_RECOMPUTED = ("inv_freq", "position_ids", "attn.bias", "masked_bias", "num_batches_tracked")
_WRAPPERS = ("_orig_mod.", "module.")


def common_forms(models: Sequence[Checkpoint], *, dtype: str | None) -> dict[str, Form]:
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
    return {name: _form(name, models=models, dtype=dtype) for name in sorted(names)}


def main_type(forms: Mapping[str, Form]) -> str | None:
    """Return the name of the type that most of the numbers have; None where there are only whole numbers."""
    counts: Counter[torch.dtype] = Counter()
    for form in forms.values():
        if form.dtype.is_floating_point:
            counts[form.dtype] += torch.Size(form.shape).numel()
    return _type_name(counts.most_common(1)[0][0]) if counts else None


def wide(form: Form) -> torch.dtype:
    """Return the type that a tensor of that form is summed in."""
    return torch.float64 if form.dtype == torch.float64 else torch.float32


def kind(form: Form) -> str:
    """Return the name of the form's type."""
    return _type_name(form.dtype)


def _type_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _form(name: str, *, models: Sequence[Checkpoint], dtype: str | None) -> Form:
    first, *others = [model.form(name) for model in models]
    for model, other in zip(models[1:], others, strict=True):
        if (other.shape, other.dtype.is_floating_point) != (first.shape, first.dtype.is_floating_point):
            raise MergeError(
                f"'{name}' has shape {list(first.shape)} ({kind(first)}) in {models[0].path} and {list(other.shape)} "
                f"({kind(other)}) in {model.path}: models of one merge must share their architecture"
            )
    if dtype is not None and first.dtype.is_floating_point:
        return Form(first.shape, getattr(torch, dtype))
    return Form(first.shape, reduce(torch.promote_types, [other.dtype for other in others], first.dtype))


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
