"""Similarity of tasks at the parent: of their gradients, or of their Fisher diagonals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Float
from safetensors import safe_open
from torch import Tensor

from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.statistics.base import Collector
from dfwe.seeding import derive
from dfwe.stages.statistics import StatisticsStage, file_of
from dfwe.store.store import Store
from dfwe.studies.source_selection.base import Criterion, CriterionInputs, Part
from dfwe.studies.stage_factory import StageFactory
from dfwe.values.allowed import OneOf

COMPARISONS = ("cosine", "centred", "shares")


@dataclass(frozen=True)
class TaskSimilarity(Criterion):
    """The cosine between what is measured on the target's and on a candidate's training examples.

    `measure` is a Collector: a mean gradient (Yu et al., Gradient Surgery for Multi-Task Learning, 2020: of tasks whose
    gradients have a negative cosine each one's steps undo the other's), or a diagonal Fisher (Achille et al., Task2Vec,
    2019; there of a probe network with a head fitted to the task, here of the parent as it is). With v_t the vector of
    the target, v_s that of a candidate, over all of the parent's values (those of heads aside, where each task has its
    own):

    `cosine`   v_t . v_s / (|v_t| |v_s|)
    `centred`  the same after the mean over target and candidates is taken off: what all tasks have in common, such as
               that answers are short, tells nothing about any
    `shares`   1 less Task2Vec's symmetric distance: the cosine of v_t / (v_t + v_s) and v_s / (v_t + v_s), element by
               element, for values that are at least 0; elements where both are 0 are left out
    """

    measure: Collector
    compare: Annotated[str, OneOf(*COMPARISONS)]

    def inputs(self, factory: StageFactory, *, target: Task, candidates: Sequence[Task], seed: int) -> CriterionInputs:
        """Return the parent, measured on the target and on each candidate."""

        def measurement(task: Task) -> tuple[Part, ...]:
            return (("choose", factory.parent_statistics(self.measure, task=task, seed=derive(seed, "affinity"))),)

        return CriterionInputs(measurement(target), {task.short: measurement(task) for task in candidates})

    def scores(self, inputs: CriterionInputs, *, store: Store) -> dict[str, float]:
        """Return cosines, in [-1, 1].

        Raises:
            ConfigurationError: all that was measured of a task is 0, or not finite; shares of negative values.
        """
        stages = [stage for _, stage in inputs.parts() if isinstance(stage, StatisticsStage)]
        files = [stage.result(store).file(file_of(0)) for stage in stages]
        tensors = _tensors(files, head_prefix=stages[0].family.head_prefix)
        collector = type(self.measure).__name__
        names = [f"{collector} of {name}" for name in ("the target", *inputs.per_candidate)]
        cosines = cosines_to_first(tensors, compare=self.compare, names=names)
        return dict(zip(inputs.per_candidate, cosines, strict=True))


def cosines_to_first(
    tensors: Iterator[Float[Tensor, "tasks values"]], *, compare: str, names: Sequence[str]
) -> list[float]:
    """Return each further task's cosine to the first, see `TaskSimilarity`; the tasks' vectors come in pieces.

    Raises:
        ConfigurationError: a vector, as it is compared, of length 0, or with a value that is not finite; a negative
            value, where shares are compared.
    """
    if compare == "shares":
        return _cosines_of_shares(tensors, names=names)
    squares = torch.zeros(len(names), dtype=torch.float64)
    products = torch.zeros(len(names), len(names), dtype=torch.float64)
    for tensor in tensors:
        wide = tensor.double()
        squares += wide.square().sum(1)
        wide = wide - wide.mean(0) if compare == "centred" else wide
        products += wide @ wide.t()
    _check(squares, names=names)
    _check(products.diagonal(), names=names, after=" once their mean is taken off")
    lengths = products.diagonal().sqrt()
    cosines: list[float] = (products[0] / (lengths[0] * lengths))[1:].clamp(-1.0, 1.0).tolist()
    return cosines


def _cosines_of_shares(tensors: Iterator[Float[Tensor, "tasks values"]], *, names: Sequence[str]) -> list[float]:
    sums = torch.zeros(3, len(names) - 1, dtype=torch.float64)  # products, and both squared lengths
    squares = torch.zeros(len(names), dtype=torch.float64)
    for tensor in tensors:
        wide = tensor.double()
        squares += wide.square().sum(1)
        if bool((wide < 0).any()):
            raise ConfigurationError("compare=shares is for values that are at least 0, as a diagonal Fisher's are")
        total = (wide[:1] + wide[1:]).clamp(min=torch.finfo(torch.float64).tiny)
        first, rest = wide[:1] / total, wide[1:] / total
        sums += torch.stack([(first * rest).sum(1), first.square().sum(1), rest.square().sum(1)])
    _check(squares, names=names)
    cosines: list[float] = (sums[0] / (sums[1] * sums[2]).sqrt()).tolist()
    return cosines


def _check(squares: Float[Tensor, " tasks"], *, names: Sequence[str], after: str = "") -> None:
    for square, name in zip(squares.tolist(), names, strict=True):
        if not 0.0 < square < float("inf"):
            problem = "zero" if square <= 0.0 else "not finite"
            raise ConfigurationError(
                f"{name} at the parent is {problem}{after}, so that nothing can be compared with it: leave the task "
                "out of sources=, or choose by something else (source_selection=transfer)"
            )


def _tensors(files: Sequence[Path], *, head_prefix: str | None) -> Iterator[Float[Tensor, "tasks values"]]:
    """Yield all tasks' values of one tensor of the parent after the other: whole models would fill the memory.

    Tensors whose names begin with `head_prefix` are one task's own.
    """
    with safe_open(files[0], framework="pt") as first:
        stored = list(first.keys())
    names = sorted(name for name in stored if head_prefix is None or not name.startswith(head_prefix))
    for name in names:
        yield torch.stack([_tensor(file, name).flatten() for file in files])


def _tensor(file: Path, name: str) -> Tensor:
    with safe_open(file, framework="pt") as opened:
        tensor: Tensor = opened.get_tensor(name)
        return tensor
