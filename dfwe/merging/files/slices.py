"""Read a recipe's `slices`, and stack layers of several models into one, renumbered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.errors import MergeError
from dfwe.merging.base import layer_of
from dfwe.merging.files.tied_tensors import is_vocabulary_tensor, token_axis
from dfwe.models.checkpoint import PlacedTensors, TensorSource

# What precedes the layers; everything else outside of them follows the last one.
_EMBEDDINGS = re.compile(r"embed(?!_out)|(^|\.)(wte|wpe|shared)\.")
_COUNTS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_PER_LAYER = ("layer_types",)  # lists with an entry per layer


@dataclass(frozen=True)
class LayerRange:
    """Name the layers from `begin` to before `end` of a model, and how they are weighed."""

    model: str
    begin: int
    end: int
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.model}[{self.begin}:{self.end}]"


@dataclass(frozen=True)
class Slice:
    """List the ranges of layers that are merged into the next layers of the result."""

    sources: tuple[LayerRange, ...]
    parameters: Mapping[str, Any]

    @property
    def num_layers(self) -> int:
        """Number of layers that it adds."""
        return self.sources[0].end - self.sources[0].begin


class LayerStack(PlacedTensors):
    """Read one model whose layers are ranges of other models' layers, one after the other.

    As in mergekit, embeddings are the first range's, and what follows the layers (norm, head) is the last range's.

    Raises:
        MergeError: a model without layers, with several stacks of them, or with too few; vocabularies of other sizes.
    """

    def __init__(self, ranges: Sequence[LayerRange], models: Mapping[str, TensorSource]) -> None:
        self.path = models[ranges[0].model].path
        self._places: dict[str, tuple[TensorSource, str]] = {}
        begin = 0
        for part in ranges:
            self._add_layers(part, model=models[part.model], number=begin)
            begin += part.end - part.begin
        for model, is_first in ((models[ranges[0].model], True), (models[ranges[-1].model], False)):
            for name in model.names:
                if layer_of(name) is None and is_embedding(name) == is_first:
                    self._places[name] = (model, name)
        rows = {self.spec(name).shape[token_axis(name)] for name in self._places if is_vocabulary_tensor(name)}
        if len(rows) > 1:
            raise MergeError(
                f"{ranges[0].model} and {ranges[-1].model} have {' and '.join(map(str, sorted(rows)))} tokens, and the "
                "result's embeddings would not fit its output: set `tokenizer_source`"
            )

    def _add_layers(self, part: LayerRange, *, model: TensorSource, number: int) -> None:
        layers = {name: layer for name in model.names if (layer := layer_of(name)) is not None}
        stacks = sorted({stack for stack, _ in layers.values()})
        if len(stacks) != 1:
            raise MergeError(
                f"{model.path} has {len(stacks)} stacks of layers ({', '.join(stacks) or 'none'}), so that a slice's "
                "`layer_range` has no one meaning: list whole models under `models`"
            )
        num_layers = max(position for _, position in layers.values()) + 1
        if part.end > num_layers:
            raise MergeError(f"{part}: {model.path} has {num_layers} layers")
        for name, (stack, position) in layers.items():
            if part.begin <= position < part.end:
                rest = name.removeprefix(f"{stack}.{position}.")
                self._places[f"{stack}.{number + position - part.begin}.{rest}"] = (model, name)


def is_embedding(name: str) -> bool:
    """Return true for a tensor outside of layers that comes before them."""
    return bool(_EMBEDDINGS.search(name))


def read_slices(entries: Any, *, where: str) -> tuple[Slice, ...]:
    """Return the slices that a recipe's `slices` are; MergeError for another form, which begins with `where`."""
    if not isinstance(entries, list) or not entries:
        raise MergeError(f"{where}: `slices` must be a list of entries with `sources`")
    slices = tuple(_slice(entry, where=where) for entry in entries)
    if len(numbers := {len(item.sources) for item in slices}) > 1:
        raise MergeError(f"{where}: every slice must have as many `sources`, not {' and '.join(map(str, numbers))}")
    return slices


def config_of_layers(
    config: Mapping[str, Any], *, ranges: Sequence[LayerRange], configs: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the configuration with the stack's number of layers, given the ranges' own configurations.

    Raises:
        MergeError: it has no number of layers.
    """
    counts = [name for name in _COUNTS if name in config]
    if not counts:
        raise MergeError(
            f"the config.json of {ranges[0].model} has none of {', '.join(_COUNTS)}: layers are not counted"
        )
    changed = dict(config) | dict.fromkeys(counts, sum(part.end - part.begin for part in ranges))
    for name in _PER_LAYER:
        if isinstance(config.get(name), list):
            pairs = zip(ranges, configs, strict=True)
            changed[name] = [kind for part, own in pairs for kind in (own.get(name) or [])[part.begin : part.end]]
    return changed


def _slice(entry: Any, *, where: str) -> Slice:
    if not isinstance(entry, Mapping) or not entry.keys() <= {"sources", "parameters"} or not entry.get("sources"):
        raise MergeError(f"{where}: a slice must have `sources`, and `parameters` at most, not {entry!r}")
    if not isinstance(entry["sources"], list):
        raise MergeError(f"{where}: a slice's `sources` must be a list, not {entry['sources']!r}")
    sources = tuple(_layer_range(source, where=where) for source in entry["sources"])
    if len({source.end - source.begin for source in sources}) > 1:
        raise MergeError(f"{where}: {', '.join(map(str, sources))} are merged, and must have as many layers")
    return Slice(sources, read_parameters(entry, where=where))


def _layer_range(source: Any, *, where: str) -> LayerRange:
    if not isinstance(source, Mapping) or not source.keys() <= {"model", "layer_range", "parameters"}:
        raise MergeError(f"{where}: a source must have `model` and `layer_range`, not {source!r}")
    model, bounds = source.get("model"), source.get("layer_range")
    if isinstance(bounds, list) and len(bounds) == 2 and all(type(bound) is int for bound in bounds):
        begin, end = bounds
        if isinstance(model, str) and 0 <= begin < end:
            return LayerRange(model, begin, end, read_parameters(source, where=where))
    raise MergeError(f"{where}: a source must have `model` and `layer_range: [first, last + 1]`, not {source!r}")


def read_parameters(entry: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Return an entry's `parameters`; MergeError where they are not names and values."""
    parameters = entry.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise MergeError(f"{where}: `parameters` must be names and values, not {parameters!r}")
    return {str(name): value for name, value in parameters.items()}
