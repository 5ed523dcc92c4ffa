"""Check that models can be merged: one architecture, one order of labels, the same tensors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from dfwe.errors import DfweError, MergeError
from dfwe.models.checkpoint import Checkpoint, TensorSpec
from dfwe.models.folders import CONFIG, model_folder, read_config

Config = Mapping[str, Any]

_MAX_FIELDS = 3  # fields in a message
# What may differ: names and types of files, ends of texts, how long a text may be, training and generation.
_FREE = re.compile(
    r"_name_or_path|architectures|(torch_)?dtype|transformers_version|tokenizer_class|auto_map|custom_pipelines"
    r"|id2label|label2id|num_labels|problem_type|finetuning_task|task_specific_params|vocab_size"
    r"|max_position_embeddings|n_positions|n_ctx|model_max_length|.*_token_ids?|.*token_index|.*dropout.*|.*_pdrop"
    r"|initializer_.*|init_std|use_cache|gradient_checkpointing|pretraining_tp|chunk_size_feed_forward|_?attn_.*"
    r"|_?experts_implementation.*|output_.*|return_dict.*|use_return_dict|torchscript|use_bfloat16|tf_legacy_loss"
    r"|(min|max)_length|num_beams|num_beam_groups|num_return_sequences|do_sample|early_stopping|temperature|top_[kp]"
    r"|typical_p|.*_penalty|.*no_repeat_ngram_size|bad_words_ids|remove_invalid_values|.*suppress_tokens|prefix"
    r"|unsloth_.*|(sentence_transformers|.*_transformers_version)(\..*)?"
)
_UNNAMED = re.compile(r"(?i)label_\d+")
_TIED = ("lm_head.weight", "shared.weight", "embed_tokens.weight", "cls.predictions.decoder.weight", "wte.weight")
_RECOMPUTED = ("inv_freq", "position_ids", "attn.bias", "masked_bias", "num_batches_tracked")
_WRAPPERS = ("_orig_mod.", "module.")


def check_architectures(models: Sequence[Checkpoint]) -> None:
    """Check that the models' config.json describe one architecture, and one order of labels; models without one pass.

    Raises:
        MergeError: fields that change what the tensors mean differ, or labels do; says which, in which models.
        ModelError: a config.json that is broken.
    """
    configs = [(model.path, config) for model in models if (config := config_of(model.path)) is not None]
    for path, config in configs[1:]:
        _check_pair(configs[0], (path, config))
        _check_labels(configs[0], (path, config))


def config_of(path: Path) -> Config | None:
    """Return the model's config.json, from its folder or beside its file; None if there is none."""
    folder = model_folder(path)
    return None if folder is None else read_config(folder)


def _check_pair(first: tuple[Path, Config], other: tuple[Path, Config]) -> None:
    if not (fields := _differences(first[1], other[1])):
        return
    # a field that one config.json leaves out has its class's default there, which Transformers alone knows
    full = [None, None] if "model_type" in fields else [_complete(path) for path, _ in (first, other)]
    if full[0] is not None and full[1] is not None:
        # those that the files name themselves come first, not what follows from them
        fields = dict(sorted(_differences(full[0], full[1]).items(), key=lambda field: field[0] not in fields))
    else:
        fields = {field: values for field, values in fields.items() if None not in values or field == "model_type"}
    if fields:
        values = ", ".join(f"`{name}` is {a!r} and {b!r}" for name, (a, b) in list(fields.items())[:_MAX_FIELDS])
        more = f" and {len(fields) - _MAX_FIELDS} more fields differ" if len(fields) > _MAX_FIELDS else ""
        raise MergeError(
            f"{first[0]} and {other[0]} are of different architectures, though their tensors may have the same shapes: "
            f"in their {CONFIG} {values}{more}; models of one merge must come from one base model"
        )


def _complete(path: Path) -> Config | None:
    """Return the configuration with the defaults of its class; None for a class that Transformers does not have."""
    from dfwe.models.loading import load_config  # seconds, which most merges need not spend

    try:
        config = load_config(path if path.is_dir() else path.parent)
    except DfweError:
        return None
    defaults = _defaults(type(config))
    return {field: value for field, value in config.to_dict().items() if defaults is None or field in defaults}


def _defaults(kind: Callable[[], Any]) -> Config | None:
    try:
        return dict(kind().to_dict())
    except (TypeError, ValueError):  # such as an encoder-decoder of two models, which has no defaults
        return None


def _differences(first: Config, other: Config) -> dict[str, tuple[Any, Any]]:
    """Return the fields that differ and change what tensors mean, with both values; one that is left out is None."""
    a, b = _flat(first), _flat(other)
    return {
        name: (a.get(name), b.get(name))
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name) and not any(map(_FREE.fullmatch, (name, name.rsplit(".", 1)[-1])))
    }


def _flat(config: Config, *, before: str = "") -> dict[str, Any]:
    """Return the fields by their names, those within others as `outer.inner`."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and name not in ("id2label", "label2id", "task_specific_params"):
            flat |= _flat(value, before=f"{before}{name}.")
        elif value is not None:
            flat[f"{before}{name}"] = value
    return flat


def _check_labels(first: tuple[Path, Config], other: tuple[Path, Config]) -> None:
    """Check that a head's rows mean the same labels; names such as LABEL_0 say nothing."""
    a, b = _labels(first[1]), _labels(other[1])
    if a is None or b is None or [label.casefold() for label in a] == [label.casefold() for label in b]:
        return
    lists = f"{first[0]} has the labels {', '.join(a)}, {other[0]} {', '.join(b)}"
    if sorted(label.casefold() for label in a) == sorted(label.casefold() for label in b):
        raise MergeError(
            f"{lists}: the same in another order, so that a merge would mix rows of different labels; put one model's "
            f"`id2label` and the rows of its head into the order of the other's, and save it again"
        )
    raise MergeError(f"{lists}: heads of different tasks cannot be merged")


def _labels(config: Config) -> list[str] | None:
    names = config.get("id2label")
    if not isinstance(names, Mapping) or not all(str(number).isdecimal() for number in names):
        return None
    labels = [str(names[number]) for number in sorted(names, key=int)]
    return None if all(_UNNAMED.fullmatch(label) for label in labels) else labels


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
            holder = next(other for other in models if lacking[0] in other.names)
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            advice = _advice(lacking, model=model, holder=holder)
            raise MergeError(f"{model.path} lacks the tensor '{lacking[0]}'{more}, which {holder.path} has{advice}")
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
