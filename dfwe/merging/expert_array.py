"""Hold experts' weights in one array, and a model's parameters in one flat buffer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dfwe.errors import MergeError
from dfwe.io.files import replacing


@dataclass(frozen=True)
class Layout:
    """Map a model's parameters to ranges of a flat vector; tied parameters once, under their first name."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]

    @classmethod
    def of(cls, model: nn.Module) -> Layout:
        """Return the layout of the model's unique parameters."""
        parameters = dict(model.named_parameters())
        return cls(tuple(parameters), tuple(parameter.shape for parameter in parameters.values()))

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(shape.numel() for shape in self.shapes)

    def views(self, flat: Float[Tensor, " parameters"]) -> dict[str, Tensor]:
        """Return views into the flat vector by name."""
        parts = torch.split(flat, [shape.numel() for shape in self.shapes])
        return {name: part.view(shape) for name, part, shape in zip(self.names, parts, self.shapes, strict=True)}


@dataclass(frozen=True, eq=False)
class ExpertArray:
    """Hold the experts' weights, one row each, and what else a merge method needs of them."""

    names: tuple[str, ...]
    layout: Layout
    weights: Float[Tensor, "experts parameters"]
    parent: Float[Tensor, " parameters"] | None = None
    statistics: tuple[Mapping[str, Tensor], ...] = ()  # one mapping per expert, by the names of tensors

    def to(self, device: torch.device) -> ExpertArray:
        """Move the array to that device; leave it in place, to be streamed, if the device has no room for it."""
        tensors = [self.weights] if self.parent is None else [self.weights, self.parent]
        tensors += [tensor for mapping in self.statistics for tensor in mapping.values()]
        if device == self.weights.device or not _fits(sum(tensor.nbytes for tensor in tensors), device=device):
            return self
        parent = None if self.parent is None else self.parent.to(device)
        statistics = tuple({name: tensor.to(device) for name, tensor in item.items()} for item in self.statistics)
        return ExpertArray(self.names, self.layout, self.weights.to(device), parent, statistics)


def load_experts(
    files: Mapping[str, str | Path],
    *,
    layout: Layout,
    parent: Float[Tensor, " parameters"] | None = None,
    optional_prefix: str | None = None,
) -> ExpertArray:
    """Load the experts in these safetensors files into one array.

    Tensors whose names begin with `optional_prefix` may be there though the layout lacks them.

    Raises:
        MergeError: no expert; tensors missing, of another shape, or not finite (names expert and tensor).
    """
    if not files:
        raise MergeError("a merge needs at least one expert")
    weights = torch.empty(len(files), layout.size)
    for row, (name, path) in zip(weights, files.items(), strict=True):
        _read_into(row, layout=layout, path=Path(path), expert=name, optional_prefix=optional_prefix)
    return ExpertArray(tuple(files), layout, weights, parent)


def save_weights(model: nn.Module, path: Path) -> None:
    """Save the model's unique parameters in float32, under a temporary name first."""
    tensors = {name: p.detach().to("cpu", torch.float32).clone() for name, p in model.named_parameters()}
    with replacing(path) as temporary:
        save_file(tensors, temporary)


def load_weights(model: nn.Module, path: Path, *, name: str, optional_prefix: str | None = None) -> None:
    """Load the file's weights into the model; errors as in `load_experts`.

    Tensors whose names begin with `optional_prefix` may be there though the model lacks them, and may be missing: then
    the model's own stay.
    """
    layout = Layout.of(model)
    if optional_prefix is not None:
        with _open(path, expert=name) as file:
            stored = set(file.keys())
        pairs = zip(layout.names, layout.shapes, strict=True)
        present = {name: shape for name, shape in pairs if name in stored or not name.startswith(optional_prefix)}
        layout = Layout(tuple(present), tuple(present.values()))
    experts = load_experts({name: path}, layout=layout, optional_prefix=optional_prefix)
    copy_weights(model, {**dict(model.named_parameters()), **layout.views(experts.weights[0])})


def copy_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights by name into the model's storage."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def flatten(model: nn.Module) -> Float[Tensor, " parameters"]:
    """Move the model's parameters into one buffer and return it: values written there are the model's weights."""
    layout = Layout.of(model)
    first = next(model.parameters())
    flat = torch.empty(layout.size, dtype=first.dtype, device=first.device)
    views = layout.views(flat)
    for name, parameter in model.named_parameters():
        views[name].copy_(parameter.data)
        parameter.data = views[name]
    return flat


def unflatten(model: nn.Module) -> None:
    """Give each parameter separate storage again: writers of checkpoints take views of one buffer for tied weights."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()


def _fits(num_bytes: int, *, device: torch.device) -> bool:
    """Return true if half of the device's free memory is enough: the rest is for the model at work."""
    return device.type != "cuda" or num_bytes <= torch.cuda.mem_get_info(device)[0] // 2


@contextmanager
def _open(path: Path, *, expert: str) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise MergeError(f"expert '{expert}': {path} cannot be read ({error})") from error


def _read_into(row: Tensor, *, layout: Layout, path: Path, expert: str, optional_prefix: str | None) -> None:
    with _open(path, expert=expert) as file:
        stored = set(file.keys())
        unknown = sorted(stored - set(layout.names))
        if optional_prefix is not None:
            unknown = [name for name in unknown if not name.startswith(optional_prefix)]
        if unknown:
            raise MergeError(
                f"expert '{expert}' ({path}) has the tensor '{unknown[0]}', which the model lacks: another model"
            )
        for name, view in layout.views(row).items():
            if name not in stored:
                raise MergeError(f"expert '{expert}' ({path}) lacks the tensor '{name}': another model or layout")
            tensor = file.get_tensor(name)
            if tensor.shape != view.shape:
                raise MergeError(
                    f"expert '{expert}' ({path}): '{name}' has shape {list(tensor.shape)}, expected "
                    f"{list(view.shape)}; experts of one merge must share their architecture"
                )
            view.copy_(tensor)
    if not bool(row.isfinite().all()):
        bad = int((~row.isfinite()).sum())  # slow, so that it is counted only where there are some
        raise MergeError(f"expert '{expert}' ({path}): {bad} weights are NaN or infinite; train it again")
