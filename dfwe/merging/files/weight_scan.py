"""Read all weights of several models once: how far apart they are, and which values are NaN or infinite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from dfwe.merging.engine import thread_pool
from dfwe.models.checkpoint import TensorSource

BLOCK = 2**16  # values: six models' rows stay in a core's cache; the fastest of 2^14 to 2^18 when measured
PART = 2**20  # values that a thread reads before it asks for more

Place = tuple[int, str]  # the number of a model, and the name of a tensor


@dataclass(frozen=True)
class WeightScan:
    """Hold what one pass over the weights found.

    Attributes:
        products: Scalar products of the first model's weights and the others' differences from it, over the tensors
            that all models have in one shape; parts with NaN aside.
        not_finite: Number of NaN and infinite values, where there are any.
        unequal: Tensors of whole numbers that differ from the first model's.
        num_values: Number of values that `products` are over.
    """

    products: Float64[Tensor, "models models"]
    not_finite: Mapping[Place, int]
    unequal: tuple[Place, ...]
    num_values: int

    def distance(self, model: int) -> float:
        """Return the norm of the model's difference from the first, over the first's norm; NaN if that is zero."""
        return float((self.products[model, model] / self.products[0, 0]).sqrt())

    def cosine(self, model: int) -> float:
        """Return the cosine between the first model's weights and this one's."""
        first, product = self.products[0, 0], self.products[0, 0] + self.products[0, model]
        norm = first + 2 * self.products[0, model] + self.products[model, model]
        return float(product / (first * norm).sqrt())

    def difference_cosine(self, model: int, other: int) -> float:
        """Return the cosine between two models' differences from the first: task vectors, if that is the base."""
        norms = self.products[model, model] * self.products[other, other]
        return float(self.products[model, other] / norms.sqrt())

    def may_be_equal(self, model: int, other: int) -> bool:
        """Return false if the two models differ by more than rounding."""
        squares = self.products[model, model] + self.products[other, other]
        return bool(squares - 2 * self.products[model, other] <= 1e-5 * squares)


def scan(models: Sequence[TensorSource]) -> WeightScan:
    """Read every tensor once, in blocks, on as many threads as torch has."""
    products = torch.zeros(len(models), len(models), dtype=torch.float64)
    not_finite: Counter[Place] = Counter()
    with thread_pool() as pool:
        for numbers, name, product, counts in pool.map(lambda part: part(), _parts(models)):
            not_finite.update({(number, name): count for number, count in zip(numbers, counts, strict=True) if count})
            if len(numbers) == len(models) and not any(counts):
                products += product
    num_values = sum(models[0].spec(name).num_values for name in shared_names(models))
    return WeightScan(products, not_finite, tuple(_unequal(models)), num_values)


def shared_names(models: Sequence[TensorSource]) -> list[str]:
    """Return the floating-point tensors that all models have in one shape."""
    common = frozenset.intersection(*(model.names for model in models))
    return [name for name in sorted(common) if _is_shared(name, models=models)]


def are_equal(model: TensorSource, other: TensorSource) -> bool:
    """Return whether two models' weights are the same; reads to the first tensor that differs."""
    return model.names == other.names and all(
        _is_equal(model.tensor(name), other.tensor(name)) for name in sorted(model.names)
    )


def _is_equal(tensor: Tensor, other: Tensor) -> bool:
    dtype = torch.promote_types(tensor.dtype, other.dtype)
    return torch.equal(tensor.to(dtype), other.to(dtype))


def _is_shared(name: str, *, models: Sequence[TensorSource]) -> bool:
    specs = [model.spec(name) for model in models]
    return all(spec.is_floating and spec.shape == specs[0].shape for spec in specs)


_Result = tuple[tuple[int, ...], str, Float64[Tensor, "rows rows"], list[int]]


def _parts(models: Sequence[TensorSource]) -> Iterator[partial[_Result]]:
    """Yield what reads each part of a tensor: of all models together, or of one alone where tensors do not fit."""
    shared = frozenset(shared_names(models))
    everyone = tuple(range(len(models)))
    groups = [(everyone, name) for name in sorted(shared)]
    groups += [((number,), name) for number in everyone for name in sorted(models[number].names - shared)]
    for numbers, name in groups:
        if models[numbers[0]].spec(name).is_floating:
            tensors = [models[number].tensor(name).reshape(-1) for number in numbers]
            for begin in range(0, tensors[0].numel(), PART):
                yield partial(_read, numbers, name, [tensor[begin : begin + PART] for tensor in tensors])


def _read(numbers: tuple[int, ...], name: str, parts: Sequence[Tensor]) -> _Result:
    products = _products(parts, dtype=torch.float32)
    counts = [0] * len(parts)
    if not bool(products.diagonal().isfinite().all()):
        counts = [int((~part.isfinite()).sum()) for part in parts]
        products = _products(parts, dtype=torch.float64)  # squares that are too large for the smaller type
    return numbers, name, products, counts


def _products(parts: Sequence[Float[Tensor, " values"]], *, dtype: torch.dtype) -> Float64[Tensor, "rows rows"]:
    """Return the products of the first part and the others' differences from it.

    Of the differences, and not of the parts: these are so near each other that rounding would be all that is left.
    """
    buffer = torch.empty(len(parts), min(BLOCK, len(parts[0])), dtype=dtype)
    products = torch.zeros(len(parts), len(parts), dtype=torch.float64)
    for begin in range(0, len(parts[0]), BLOCK):
        blocks = [part[begin : begin + BLOCK] for part in parts]
        rows = buffer[:, : len(blocks[0])]
        rows[0].copy_(blocks[0])
        for row, block in zip(rows[1:], blocks[1:], strict=True):
            if block.dtype == dtype:
                torch.sub(block, rows[0], out=row)
            else:
                row.copy_(block).sub_(rows[0])
        products += rows @ rows.T
    return products


def _unequal(models: Sequence[TensorSource]) -> Iterator[Place]:
    """Yield the tensors of whole numbers that differ from the first model's."""
    for number, model in enumerate(models[1:], start=1):
        for name in sorted(models[0].names & model.names):
            specs = [models[0].spec(name), model.spec(name)]
            if any(spec.is_floating for spec in specs) or specs[0].shape != specs[1].shape:
                continue
            if not torch.equal(models[0].tensor(name), model.tensor(name)):
                yield number, name
