"""Gram matrices of inputs that come through merged layers: RegMean++ (Nguyen et al., 2025, arXiv:2508.03121)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dfwe.families.statistics.base import Collector, Questions, Tell, in_evaluation
from dfwe.families.statistics.gram import linear_layers, read, summing_inputs
from dfwe.merging.base import TensorGroup, TensorInfo, layer_of
from dfwe.merging.methods.statistics import Regmean
from dfwe.values.allowed import Count

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class MergedGram(Collector):
    """As Gram, but layer l of each expert reads what the merged layers before it make of that expert's data.

    Layers are merged in their order, encoder first, each by `method` and equal coefficients as soon as its matrices are
    known; within a layer the expert's own weights stand. What is in no layer (embeddings, last norms, the head) is the
    experts' mean throughout; the head's inputs are those of the model whose layers are all merged.

    Departure: the paper has no coefficients. The layers before are merged with equal ones whatever a search tries, so
    that the matrices are collected once; equal coefficients give the paper's merge.
    """

    together: ClassVar[bool] = True
    examples: Count
    method: Regmean

    def __post_init__(self) -> None:
        self.method.check(1)

    @torch.no_grad()
    def collect(
        self, models: Sequence[Any], *, questions: Sequence[Questions], seed: int, tell: Tell
    ) -> list[dict[str, Tensor]]:
        """See Collector; nothing is random. Each layer takes a forward pass an expert and question, up to its end."""
        experts: list[Weights] = [dict(model.named_parameters()) for model in models]
        merged = deepcopy(models[0])  # becomes the merged model, layer by layer
        statistics: list[dict[str, Tensor]] = [{} for _ in models]
        layers = _layers(experts[0])
        self._merge(merged, [name for name in experts[0] if layer_of(name) is None], experts, statistics)
        for number, (path, names) in enumerate(layers.items(), start=1):
            for expert, of_model, grams in zip(experts, questions, statistics, strict=True):
                _copy(merged, {name: expert[name] for name in names})
                grams.update(_grams(merged, of_model, names=names, end=path))
            self._merge(merged, names, experts, statistics)
            tell(number / (len(layers) + 1))
        head = [name for name in linear_layers(merged) if layer_of(name) is None]
        for of_model, grams in zip(questions, statistics, strict=True):
            grams.update(_grams(merged, of_model, names=head, end=None))
        return statistics

    def _merge(
        self, into: nn.Module, names: Sequence[str], experts: Sequence[Weights], collected: Sequence[Weights]
    ) -> None:
        equal = [1.0 / len(experts)] * len(experts)
        for name in names:
            statistics = tuple(grams.get(name) for grams in collected)
            group = TensorGroup(TensorInfo(name, 0.0), tuple(expert[name] for expert in experts), statistics=statistics)
            _copy(into, {name: self.method.merge_tensor(group, coefficients=equal, state=None)})


def _layers(names: Weights) -> dict[str, list[str]]:
    """Return the names of each layer's tensors by the path of its module, in the model's order."""
    layers: dict[str, list[str]] = {}
    for name in names:
        if (place := layer_of(name)) is not None:
            layers.setdefault(f"{place[0]}.{place[1]}", []).append(name)
    return layers


def _grams(model: nn.Module, questions: Questions, *, names: Sequence[str], end: str | None) -> dict[str, Tensor]:
    """Return the Gram matrices of those weights, the passes broken off after the module `end`."""
    layers = [(name, layer) for name, layer in linear_layers(model).items() if name in names]
    with in_evaluation(model), summing_inputs(layers) as sums, _ending_after(model, end):
        for question in questions:
            with suppress(_EndedError):
                read(model, question)
    return sums.means()


class _EndedError(Exception):
    """The forward pass has gone far enough."""


@contextmanager
def _ending_after(model: nn.Module, path: str | None) -> Iterator[None]:
    if path is None:
        yield
        return

    def stop(*_: Any) -> None:
        raise _EndedError

    handle = model.get_submodule(path).register_forward_hook(stop)
    try:
        yield
    finally:
        handle.remove()


def _copy(model: nn.Module, weights: Weights) -> None:
    for name, tensor in weights.items():
        model.get_parameter(name).copy_(tensor)
