"""Check that models can be merged: one architecture, one order of labels, the same tensors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from dfwe.errors import DfweError, MergeError
from dfwe.models.checkpoint import TensorSource, TensorSpec
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
_WINDOW, _SWITCH = re.compile(r"\b(max_window_layers|sliding_window)$"), "use_sliding_window"  # false: no effect
_UNNAMED = re.compile(r"(?i)label_\d+")
_COUNTED = "num_batches_tracked"
_WRAPPERS = ("_orig_mod.", "module.")


@dataclass(frozen=True)
class Misfit:
    """Say what keeps a model from being merged with another, and what to do about it; `check` is the kind of it."""

    check: str
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.text}: {self.remedy}"


def check_architectures(models: Sequence[TensorSource]) -> None:
    """Check that the models' config.json describe one architecture, and one order of labels; models without one pass.

    Raises:
        MergeError: fields that change what the tensors mean differ, or labels do; says which, in which models.
        ModelError: a config.json that is broken.
    """
    configs = [(model.path, config) for model in models if (config := config_of(model.path)) is not None]
    labelled = [(path, config) for path, config in configs if named_labels(config)]
    for comparison, described in ((architecture_misfit, configs), (label_misfit, labelled)):
        for other in described[1:]:
            if (misfit := comparison(described[0], other)) is not None:
                raise MergeError(str(misfit))


def config_of(path: Path) -> Config | None:
    """Return the model's config.json, from its folder or beside its file; None if there is none."""
    folder = model_folder(path)
    return None if folder is None else read_config(folder)


def architecture_misfit(first: tuple[Path, Config], other: tuple[Path, Config]) -> Misfit | None:
    """Compare all that changes what tensors mean; only where a field differs Transformers is asked for defaults."""
    if not (fields := _differences(first[1], other[1])):
        return None
    # a field that one config.json leaves out has its class's default there, which Transformers alone knows
    full = [None, None] if "model_type" in fields else [_complete(path) for path, _ in (first, other)]
    if full[0] is not None and full[1] is not None:
        # those that the files name themselves come first, not what follows from them
        fields = dict(sorted(_differences(full[0], full[1]).items(), key=lambda field: field[0] not in fields))
    else:
        fields = {field: values for field, values in fields.items() if None not in values or field == "model_type"}
    if not fields:
        return None
    values = ", ".join(f"`{name}` is {a!r} and {b!r}" for name, (a, b) in list(fields.items())[:_MAX_FIELDS])
    more = f" and {len(fields) - _MAX_FIELDS} more fields differ" if len(fields) > _MAX_FIELDS else ""
    return Misfit(
        "architecture",
        f"{first[0]} and {other[0]} are of different architectures, though their tensors may have the same shapes: "
        f"in their {CONFIG} {values}{more}",
        "models of one merge must come from one base model",
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
        if a.get(name) != b.get(name)
        and not any(map(_FREE.fullmatch, (name, name.rsplit(".", 1)[-1])))
        and not (_WINDOW.search(name) and a.get(switch := _WINDOW.sub(_SWITCH, name)) is b.get(switch) is False)
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


def label_misfit(first: tuple[Path, Config], other: tuple[Path, Config]) -> Misfit | None:
    """Compare what a head's rows mean; names such as LABEL_0 say nothing."""
    a, b = named_labels(first[1]), named_labels(other[1])
    if a is None or b is None or [label.casefold() for label in a] == [label.casefold() for label in b]:
        return None
    lists = f"{first[0]} has the labels {', '.join(a)}, and {other[0]} has {', '.join(b)}"
    if sorted(label.casefold() for label in a) != sorted(label.casefold() for label in b):
        return Misfit("labels", lists, "heads of different tasks cannot be merged")
    return Misfit(
        "label order",
        f"{lists}: the same in another order, so that a merge would mix rows of different labels",
        "dfwe search and studies put them into one order by themselves; for all else put one model's `id2label` and "
        "the rows of its head into the order of the other's, and save it again",
    )


def named_labels(config: Config) -> list[str] | None:
    """Return the names of a head's rows in their order; None without names, or for names such as LABEL_0."""
    names = config.get("id2label")
    if not isinstance(names, Mapping) or not all(str(number).isdecimal() for number in names):
        return None
    labels = [str(names[number]) for number in sorted(names, key=int)]
    return None if all(_UNNAMED.fullmatch(label) for label in labels) else labels


def common_specs(models: Sequence[TensorSource], *, dtype: str | None) -> dict[str, TensorSpec]:
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
            raise MergeError(str(_lacking(lacking, model=model, holder=holder)))
    return {name: _common_spec(name, models=models, dtype=dtype) for name in sorted(names)}


def main_dtype(specs: Mapping[str, TensorSpec]) -> str | None:
    """Return the name of the type that most of the numbers have; None if there are only whole numbers."""
    counts: Counter[str] = Counter()
    for spec in specs.values():
        if spec.is_floating:
            counts[spec.dtype_name] += torch.Size(spec.shape).numel()
    return counts.most_common(1)[0][0] if counts else None


def tensor_misfits(first: TensorSource, other: TensorSource) -> Iterator[Misfit]:
    """Yield what one of two models lacks, and the first tensor whose shape or kind differs."""
    for model, holder in ((other, first), (first, other)):
        if lacking := sorted(holder.names - model.names):
            yield _lacking(lacking, model=model, holder=holder)
    shapes = (_shape_misfit(name, first=first, other=other) for name in sorted(first.names & other.names))
    yield from [misfit for misfit in shapes if misfit is not None][:1]


def _common_spec(name: str, *, models: Sequence[TensorSource], dtype: str | None) -> TensorSpec:
    for model in models[1:]:
        if (misfit := _shape_misfit(name, first=models[0], other=model)) is not None:
            raise MergeError(str(misfit))
    first, *rest = [model.spec(name) for model in models]
    if dtype is not None and first.is_floating:
        return TensorSpec(first.shape, getattr(torch, dtype))
    return TensorSpec(first.shape, reduce(torch.promote_types, [other.dtype for other in rest], first.dtype))


def _shape_misfit(name: str, *, first: TensorSource, other: TensorSource) -> Misfit | None:
    a, b = first.spec(name), other.spec(name)
    if (a.shape, a.is_floating) == (b.shape, b.is_floating):
        return None
    shapes = f"{list(a.shape)} ({a.dtype_name}) in {first.path} and {list(b.shape)} ({b.dtype_name}) in {other.path}"
    return Misfit("shapes", f"'{name}' has shape {shapes}", "models of one merge must share their architecture")


def _lacking(lacking: Sequence[str], *, model: TensorSource, holder: TensorSource) -> Misfit:
    """Say which tensors one model stores and another leaves out, and what to do about that."""
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    text = f"{model.path} lacks the tensor '{lacking[0]}'{more}, which {holder.path} has"
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in holder.names):
            remedy = f"a wrapper's '{prefix}' stands before the names; save the model that is within the wrapper"
            return Misfit("tensors", text, remedy)
    prefix = lacking[0].split(".", 1)[0] + "."
    prefixed = [name for name in lacking if name.startswith(prefix)]
    if prefixed and all(name.removeprefix(prefix) in model.names for name in prefixed):
        without = f" and {model.path} has without the '{prefix}' before the name, as a model without a head"
        return Misfit("tensors", text + without, f"load it by the class that {holder.path} is of, and save it")
    if all(name.endswith(_COUNTED) for name in lacking):
        remedy = "only some versions store this counter; load and save both models by Transformers, in one version"
        return Misfit("tensors", text, remedy)
    return Misfit("tensors", text, "models of one merge must share their architecture, heads and names of tensors")
