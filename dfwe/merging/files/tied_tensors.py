"""Put models under one set of names: some store copies of tied tensors, or what is computed anew, others do not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from dfwe.merging.files.compatibility import Misfit, config_of
from dfwe.models.checkpoint import PlacedTensors, TensorSource, is_recomputed

_EMBEDDINGS = re.compile(r"(.*\.)?(shared|embed_tokens|embed_in|wte|word_embeddings)\.weight")
_OUTPUTS = re.compile(r"(.*\.)?(lm_head|lm_head\.decoder|cls\.predictions\.decoder|embed_out)\.weight")
_BIASES = re.compile(r"(.*\.)?(lm_head|lm_head\.decoder|cls\.predictions|cls\.predictions\.decoder)\.bias")
_LOGITS_BIAS = "final_logits_bias"  # of BART, a row
_RETIE = (
    "if the output layer was trained apart, merge it with models that store theirs; else load and save it by "
    "Transformers (from_pretrained, save_pretrained), which leaves copies out"
)


class RenamedTensors(PlacedTensors):
    """Read some of a model's tensors, under other names: `places` are its own names by the new ones."""

    def __init__(self, source: TensorSource, places: Mapping[str, str]) -> None:
        self.path, self._places = source.path, {name: (source, stored) for name, stored in places.items()}


@dataclass
class _CommonNames:
    """The names that are left out, those that a model has a tensor of another name for, and what does not fit."""

    dropped: set[str] = field(default_factory=set)
    places: dict[tuple[int, str], str] = field(default_factory=dict)
    misfits: dict[int, Misfit] = field(default_factory=dict)


def with_common_names(models: Sequence[TensorSource]) -> tuple[tuple[TensorSource, ...], Mapping[int, Misfit]]:
    """Return the models under the same names as far as they can be, and what does not fit, by a model's number.

    Where all models store a tensor, it stays, but masked biases. Else a tensor that is computed anew is left out, as
    is one that holds the values of another that it is tied to. Models that store a tied tensor under different names
    get one name for it.
    """
    everywhere = frozenset.intersection(*(model.names for model in models))
    somewhere: frozenset[str] = frozenset().union(*(model.names for model in models))
    names = _CommonNames()
    if not everywhere:  # a wrapper's prefix before all names, or another model
        return tuple(models), {}
    for name in sorted(somewhere):
        holders = [model for model in models if name in model.names]
        if is_recomputed(name) and _is_left_out(name, holders, num_models=len(models)):
            names.dropped.add(name)
    for group in _tied_groups(somewhere - names.dropped, models=models):
        if not group <= everywhere:
            _join(group, everywhere & group, models=models, names=names)
    if not names.dropped and not names.places:
        return tuple(models), names.misfits
    return tuple(_renamed(model, number, names=names) for number, model in enumerate(models)), names.misfits


def has_token_embeddings(model: TensorSource) -> bool:
    """Return whether one of the model's tensors is known as the embeddings of its tokens."""
    return any(map(_EMBEDDINGS.fullmatch, model.names))


def is_vocabulary_tensor(name: str) -> bool:
    """Return true for the name of a tensor that has a row, or a value, per token."""
    patterns = (_EMBEDDINGS, _OUTPUTS, _BIASES)
    return name.endswith(_LOGITS_BIAS) or any(pattern.fullmatch(name) for pattern in patterns)


def token_axis(name: str) -> int:
    """Return the axis of a vocabulary tensor that has the tokens."""
    return 1 if name.endswith(_LOGITS_BIAS) else 0


def _renamed(model: TensorSource, number: int, *, names: _CommonNames) -> TensorSource:
    places = {name: stored for (owner, name), stored in names.places.items() if owner == number}
    gone = names.dropped | set(places.values())
    return RenamedTensors(model, {name: name for name in model.names - gone} | places)


def _is_left_out(name: str, holders: Sequence[TensorSource], *, num_models: int) -> bool:
    """Return whether a tensor that is computed anew is not needed: a model lacks it, or has it in another form.

    A masked bias, the lowest number of a type, is none that can be averaged.
    """
    specs = [(holder.spec(name).shape, holder.spec(name).is_floating) for holder in holders]
    if len(holders) == num_models and len(set(specs)) == 1 and not name.endswith(".masked_bias"):
        return False
    return all(_is_as_computed(name, holder) for holder in holders)


def _is_as_computed(name: str, model: TensorSource) -> bool:
    """Return whether the tensor holds what models compute, as far as its name tells: positions in order, a mask."""
    tensor = model.tensor(name)
    if name.endswith("position_ids"):
        return torch.equal(tensor.flatten().long(), torch.arange(tensor.numel()))
    if name.endswith((".attn.bias", ".attention.bias")):
        return tensor.ndim >= 2 and torch.equal(tensor.bool(), torch.ones_like(tensor).bool().tril())
    return True


def _tied_groups(names: frozenset[str], *, models: Sequence[TensorSource]) -> Iterator[frozenset[str]]:
    """Yield names of tensors that may be tied to each other: outputs to embeddings unless a configuration denies it."""
    embeddings = frozenset(filter(_EMBEDDINGS.fullmatch, names))
    outputs = frozenset(filter(_OUTPUTS.fullmatch, names))
    configs = [config_of(model.path) or {} for model in models] if outputs else []
    is_tied = all(config.get("tie_word_embeddings") is not False for config in configs)
    yield embeddings | (outputs if is_tied else frozenset())
    yield frozenset(filter(_BIASES.fullmatch, names))


def _join(
    group: frozenset[str], everywhere: frozenset[str], *, models: Sequence[TensorSource], names: _CommonNames
) -> None:
    """Drop copies of what all models store; where there is no such tensor, give the models' tied ones one name."""
    if not everywhere:
        _name_alike(group, models=models, names=names)
        return
    for name in sorted(group - everywhere):
        holders = {number: model for number, model in enumerate(models) if name in model.names}
        originals = [other for other in sorted(everywhere) if all(_equal(m, name, other) for m in holders.values())]
        names.dropped.add(name)
        if originals:
            continue
        other = min(everywhere)
        number, holder = next((n, m) for n, m in holders.items() if not _equal(m, name, other))
        names.misfits.setdefault(number, _untied(holder, name, other))


def _name_alike(group: frozenset[str], *, models: Sequence[TensorSource], names: _CommonNames) -> None:
    stored = [sorted(group & model.names) for model in models]
    if not all(stored):
        return  # a model lacks all of them
    common = stored[0][0]
    for number, (model, (first, *others)) in enumerate(zip(models, stored, strict=True)):
        if differing := [name for name in others if not _equal(model, name, first)]:
            names.misfits.setdefault(number, _untied(model, differing[0], first))
        names.places[number, common] = first
    names.dropped |= group - {common}


def _equal(model: TensorSource, name: str, other: str) -> bool:
    return model.spec(name).shape == model.spec(other).shape and torch.equal(model.tensor(name), model.tensor(other))


def _untied(model: TensorSource, name: str, other: str) -> Misfit:
    text = f"{model.path} stores '{name}' with other values than '{other}', to which it is tied in models that lack it"
    return Misfit("tied tensors", text, _RETIE)
