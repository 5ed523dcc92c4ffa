"""Hold experts' weights in one array, LoRA experts' as their factors, and a model's parameters in one flat buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dfwe.errors import MergeError
from dfwe.io.files import replacing
from dfwe.models.adapters import AdaptedCheckpoint, Factors, adapter_folder
from dfwe.models.checkpoint import LoadedTensors


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


Adapter = Mapping[str, Factors | Tensor]
"""What an expert changes of its base, by the names of tensors: a product that is added, or a whole tensor instead."""


@dataclass(frozen=True, eq=False)
class ExpertArray:
    """Hold the experts' weights and what else a merge method needs of them.

    Each expert that is a whole model has a row of `weights`. LoRA experts are held as what they change of their `base`:
    `adapters` has an entry per expert, None for whole models, and is empty where all are. A parent is then the base.
    """

    names: tuple[str, ...]
    layout: Layout
    weights: Float[Tensor, "models parameters"]
    parent: Float[Tensor, " parameters"] | None = None
    statistics: tuple[Mapping[str, Tensor], ...] = ()  # one mapping per expert, by the names of tensors
    adapters: tuple[Adapter | None, ...] = ()
    base: Float[Tensor, " parameters"] | None = None

    def tensors(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield each of the layout's tensors, of every expert: views, but for those that an adapter changes."""
        rows = map(self.layout.views, self.weights)
        base = {} if self.base is None else self.layout.views(self.base)
        experts = [(next(rows), {}) if adapter is None else (base, adapter) for adapter in self.entries]
        for name in self.layout.names:
            yield tuple(_adapted(views[name], adapter.get(name)) for views, adapter in experts)

    def write_expert(self, place: int, *, out: Float[Tensor, " parameters"]) -> None:
        """Write the weights of the expert at that place into a flat buffer."""
        adapter = self.entries[place]
        if adapter is None:
            out.copy_(self.weights[self.entries[:place].count(None)])
            return
        assert self.base is not None
        out.copy_(self.base)
        base, views = self.layout.views(self.base), self.layout.views(out)
        for name, change in adapter.items():
            views[name].copy_(_adapted(base[name], change))

    def to(self, device: torch.device) -> ExpertArray:
        """Move the array to that device; leave it in place, to be streamed, if the device has no room for it."""
        if device == self.weights.device or not _fits(self.num_bytes, device=device):
            return self
        return self.map(lambda tensor: tensor.to(device))

    @property
    def num_bytes(self) -> int:
        """Number of bytes of its tensors."""
        sizes: list[int] = []

        def measure(tensor: Tensor) -> Tensor:
            sizes.append(tensor.nbytes)
            return tensor

        self.map(measure)
        return sum(sizes)

    def map(self, function: Callable[[Tensor], Tensor]) -> ExpertArray:
        """Return the array with each tensor replaced by what the function gives for it; called once per tensor."""
        results: dict[int, Tensor] = {}

        def once(tensor: Tensor) -> Tensor:
            if id(tensor) not in results:
                results[id(tensor)] = function(tensor)
            return results[id(tensor)]

        def changed(change: Factors | Tensor) -> Factors | Tensor:
            if isinstance(change, Tensor):
                return once(change)
            return replace(change, first=once(change.first), second=once(change.second))

        return replace(
            self,
            weights=once(self.weights),
            parent=None if self.parent is None else once(self.parent),
            statistics=tuple({name: once(tensor) for name, tensor in item.items()} for item in self.statistics),
            adapters=tuple(
                None if adapter is None else {name: changed(change) for name, change in adapter.items()}
                for adapter in self.adapters
            ),
            base=None if self.base is None else once(self.base),
        )

    @property
    def entries(self) -> tuple[Adapter | None, ...]:
        """Each expert's adapter, None for a whole model, which has the next row of `weights`."""
        return self.adapters or (None,) * len(self.names)


def load_experts(
    files: Mapping[str, str | Path],
    *,
    layout: Layout,
    parent: Float[Tensor, " parameters"] | None = None,
    optional_prefix: str | None = None,
) -> ExpertArray:
    """Load the experts in these safetensors files, or LoRA adapters of `parent` in PEFT's folders, into one array.

    Tensors whose names begin with `optional_prefix` may be there though the layout lacks them.

    Raises:
        MergeError: no expert; tensors missing, of another shape, or not finite (names expert and tensor).
        ModelError: an adapter that is not LoRA, or of another model.
    """
    if not files:
        raise MergeError("a merge needs at least one expert")
    folders = {name: adapter_folder(Path(path)) for name, path in files.items()}
    models = {name: Path(path) for name, path in files.items() if folders[name] is None}
    weights = torch.empty(len(models), layout.size)
    for row, (name, path) in zip(weights, models.items(), strict=True):
        _read_into(row, layout=layout, path=path, expert=name, optional_prefix=optional_prefix)
    if len(models) == len(files):
        return ExpertArray(tuple(files), layout, weights, parent)
    adapters = tuple(
        None
        if folder is None
        else _read_adapter(folder, expert=name, layout=layout, base=parent, optional_prefix=optional_prefix)
        for name, folder in folders.items()
    )
    return ExpertArray(tuple(files), layout, weights, parent, adapters=adapters, base=parent)


def save_weights(model: nn.Module, path: Path) -> None:
    """Save the model's unique parameters in float32, under a temporary name first."""
    tensors = {name: p.detach().to("cpu", torch.float32).clone() for name, p in model.named_parameters()}
    with replacing(path) as temporary:
        save_file(tensors, temporary)


def load_weights(model: nn.Module, path: Path, *, name: str, optional_prefix: str | None = None) -> None:
    """Load the file's weights into the model, or add the adapter to its own; errors as in `load_experts`.

    Tensors whose names begin with `optional_prefix` may be there though the model lacks them, and may be missing: then
    the model's own stay.
    """
    layout = Layout.of(model)
    if adapter_folder(path) is not None:
        parent = flat_weights(model)
        experts = load_experts({name: path}, layout=layout, parent=parent, optional_prefix=optional_prefix)
        copy_weights(model, {key: tensor for key, (tensor,) in zip(layout.names, experts.tensors(), strict=True)})
        return
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


def flat_weights(model: nn.Module) -> Float[Tensor, " parameters"]:
    """Return a copy of the model's unique parameters in one vector, in main memory."""
    return torch.cat([parameter.detach().cpu().flatten() for parameter in model.parameters()])


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


def _adapted(base: Tensor, change: Factors | Tensor | None) -> Tensor:
    if change is None:
        return base
    return change.added_to(base) if isinstance(change, Factors) else change


def _read_adapter(
    folder: Path, *, expert: str, layout: Layout, base: Tensor | None, optional_prefix: str | None
) -> Adapter:
    if base is None:
        raise MergeError(f"expert '{expert}' ({folder}) is a LoRA adapter: name the base model that it is added to")
    loaded = LoadedTensors(layout.views(base), title="the base model")
    checkpoint = AdaptedCheckpoint(loaded, folder, optional_prefix=optional_prefix)
    adapter = {name: checkpoint.change(name) for name in layout.names if name in checkpoint.changed}
    adapter = {name: change.float() if isinstance(change, Tensor) else change for name, change in adapter.items()}
    for name, change in adapter.items():
        parts = (change,) if isinstance(change, Tensor) else (change.first, change.second)
        if not all(bool(part.isfinite().all()) for part in parts):
            raise MergeError(
                f"expert '{expert}' ({folder}): '{name}' is changed by NaN or infinite values; train it again"
            )
    return adapter


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
