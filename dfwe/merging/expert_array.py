"""Hold experts' weights in one array, LoRA experts' as their factors, and a model's parameters in one flat buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dfwe.errors import MergeError
from dfwe.io.files import replacing
from dfwe.merging.mapped_weights import MappedWeights, map_file, map_model
from dfwe.models.adapters import AdaptedCheckpoint, Factors, adapter_folder
from dfwe.models.checkpoint import LoadedTensors
from dfwe.models.dispatch import stored_tensors

Weights = Float[Tensor, " parameters"] | Mapping[str, Tensor]
"""A model's weights: in one vector, or by the names of tensors, wherever each of them lies."""


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

    def views(self, weights: Weights) -> Mapping[str, Tensor]:
        """Return the weights by name: of a vector, views into it."""
        if isinstance(weights, Mapping):
            return weights
        parts = torch.split(weights, [shape.numel() for shape in self.shapes])
        return {name: part.view(shape) for name, part, shape in zip(self.names, parts, self.shapes, strict=True)}


Adapter = Mapping[str, Factors | Tensor]
"""What an expert changes of its base, by the names of tensors: a product that is added, or a whole tensor instead."""


@dataclass(frozen=True, eq=False)
class ExpertArray:
    """Hold the experts' weights and what else a merge method needs of them.

    Each expert that is a whole model has a row of `weights`; experts on disk are `mapped` instead, and the parent with
    them. LoRA experts are held as what they change of their `base`: `adapters` has an entry per expert, None for whole
    models, and is empty where all are. A parent is then the base.
    """

    names: tuple[str, ...]
    layout: Layout
    weights: Float[Tensor, "models parameters"]
    parent: Weights | None = None
    statistics: tuple[Mapping[str, Tensor], ...] = ()  # one mapping per expert, by the names of tensors
    adapters: tuple[Adapter | None, ...] = ()
    base: Weights | None = None
    mapped: tuple[MappedWeights, ...] = ()

    def tensors(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield each of the layout's tensors, of every expert: views, but for those that an adapter changes."""
        experts = self._experts
        for name in self.layout.names:
            yield tuple(_adapted(weights[name], adapter.get(name)) for weights, adapter in experts)

    def write_expert(self, place: int, *, out: Weights) -> None:
        """Write the weights of the expert at that place into a model's."""
        weights, adapter = self._experts[place]
        for name, view in self.layout.views(out).items():
            view.copy_(_adapted(weights[name], adapter.get(name)))

    def to(self, device: torch.device) -> ExpertArray:
        """Move the array to that device; leave it in place, to be streamed, if the device has no room for it."""
        if self.is_on_disk or device == self.weights.device or not _fits(self.num_bytes, device=device):
            return self
        return self.map(lambda tensor: tensor.to(device))

    @property
    def is_on_disk(self) -> bool:
        """True if experts or their parent are read from their files, tensor by tensor."""
        return bool(self.mapped) or isinstance(self.base, Mapping) or isinstance(self.parent, Mapping)

    @property
    def whole(self) -> list[Mapping[str, Tensor]]:
        """Weights of the experts that are whole models, in order."""
        return [*self.mapped, *map(self.layout.views, self.weights)]

    @property
    def _experts(self) -> list[tuple[Mapping[str, Tensor], Adapter]]:
        """What each expert begins with, and what it changes of that."""
        whole, base = iter(self.whole), {} if self.base is None else self.layout.views(self.base)
        return [(next(whole), {}) if adapter is None else (base, adapter) for adapter in self.entries]

    @property
    def num_bytes(self) -> int:
        """Number of bytes of its tensors in memory."""
        sizes: list[int] = []

        def measure(tensor: Tensor) -> Tensor:
            sizes.append(tensor.nbytes)
            return tensor

        self.map(measure)
        return sum(sizes)

    def map(self, function: Callable[[Tensor], Tensor]) -> ExpertArray:
        """Return the array with each tensor in memory replaced by what the function gives; called once per tensor."""
        results: dict[int, Tensor] = {}

        def once(tensor: Tensor) -> Tensor:
            if id(tensor) not in results:
                results[id(tensor)] = function(tensor)
            return results[id(tensor)]

        def changed(change: Factors | Tensor) -> Factors | Tensor:
            if isinstance(change, Tensor):
                return once(change)
            return replace(change, first=once(change.first), second=once(change.second))

        def of_model(weights: Weights | None) -> Weights | None:
            return once(weights) if isinstance(weights, Tensor) else weights

        def measured(item: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            return item if isinstance(item, MappedWeights) else {name: once(tensor) for name, tensor in item.items()}

        return replace(
            self,
            weights=once(self.weights),
            parent=of_model(self.parent),
            statistics=tuple(map(measured, self.statistics)),
            adapters=tuple(
                None if adapter is None else {name: changed(change) for name, change in adapter.items()}
                for adapter in self.adapters
            ),
            base=of_model(self.base),
        )

    @property
    def entries(self) -> tuple[Adapter | None, ...]:
        """Each expert's adapter, None for a whole model, which has the next row of `weights`."""
        return self.adapters or (None,) * len(self.names)


def load_experts(
    files: Mapping[str, str | Path],
    *,
    layout: Layout,
    parent: Weights | None = None,
    optional_prefix: str | None = None,
    on_disk: bool = False,
) -> ExpertArray:
    """Load the experts in these safetensors files, or LoRA adapters of `parent` in PEFT's folders, into one array.

    Tensors whose names begin with `optional_prefix` may be there though the layout lacks them. Whole models that stay
    `on_disk` are checked, and read again where they are used; adapters are in memory.

    Raises:
        MergeError: no expert; tensors missing, of another shape, or not finite (names expert and tensor).
        ModelError: an adapter that is not LoRA, or of another model.
    """
    if not files:
        raise MergeError("a merge needs at least one expert")
    folders = {name: adapter_folder(Path(path)) for name, path in files.items()}
    models = {name: Path(path) for name, path in files.items() if folders[name] is None}
    weights = torch.empty(0 if on_disk else len(models), layout.size)
    rows = map(layout.views, weights)
    for name, path in models.items():
        with _open(path, expert=name) as file:
            tensors = _read(file, layout=layout, of=f"expert '{name}' ({path})", optional_prefix=optional_prefix)
            _copy(tensors, out=None if on_disk else next(rows), of=f"expert '{name}' ({path})")
    mapped = tuple(map(map_file, models.values())) if on_disk else ()
    if len(models) == len(files):
        return ExpertArray(tuple(files), layout, weights, parent, mapped=mapped)
    adapters = tuple(
        None
        if folder is None
        else read_adapter(folder, expert=name, layout=layout, base=parent, optional_prefix=optional_prefix)
        for name, folder in folders.items()
    )
    return ExpertArray(tuple(files), layout, weights, parent, adapters=adapters, base=parent, mapped=mapped)


def read_adapter(
    folder: Path,
    *,
    expert: str,
    layout: Layout,
    base: Weights | None,
    tied: Mapping[str, str] = MappingProxyType({}),
    optional_prefix: str | None = None,
) -> Adapter | None:
    """Read what a LoRA in PEFT's format changes of its base; None where two tensors of it are one.

    `tied` has further names of the layout's tensors. Errors as in `load_experts`.
    """
    if base is None:
        raise MergeError(f"expert '{expert}' ({folder}) is a LoRA adapter: name the base model that it is added to")
    views = layout.views(base)
    loaded = LoadedTensors({**views, **{name: views[tied[name]] for name in tied}}, title="the base model")
    checkpoint = AdaptedCheckpoint(loaded, folder, optional_prefix=optional_prefix)
    names = {tied.get(name, name): name for name in sorted(checkpoint.changed)}
    if len(names) < len(checkpoint.changed):
        return None
    return {place: _checked(checkpoint.change(name), name=name, expert=expert) for place, name in names.items()}


def save_weights(model: nn.Module, path: Path) -> None:
    """Save the model's unique parameters in float32, under a temporary name first."""
    tensors = {name: p.to("cpu", torch.float32).clone() for name, p in stored_tensors(model).items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary)


def load_weights(model: nn.Module, path: Path, *, name: str, optional_prefix: str | None = None) -> None:
    """Load the file's weights into the model, or add the adapter to its own; errors as in `load_experts`.

    Tensors whose names begin with `optional_prefix` may be there though the model lacks them, and may be missing: then
    the model's own stay.
    """
    layout, tensors = Layout.of(model), stored_tensors(model)
    is_adapter = adapter_folder(path) is not None
    if optional_prefix is not None and not is_adapter:
        with _open(path, expert=name) as file:
            stored = set(file.keys())
        pairs = zip(layout.names, layout.shapes, strict=True)
        present = {name: shape for name, shape in pairs if name in stored or not name.startswith(optional_prefix)}
        layout = Layout(tuple(present), tuple(present.values()))
    parent = tensors if is_adapter else None
    experts = load_experts({name: path}, layout=layout, parent=parent, optional_prefix=optional_prefix, on_disk=True)
    with torch.no_grad():
        experts.write_expert(0, out={key: tensors[key] for key in layout.names})


def copy_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights by name into the model's storage."""
    with torch.no_grad():
        for name, tensor in stored_tensors(model).items():
            tensor.copy_(weights[name])


def flat_weights(model: nn.Module) -> Float[Tensor, " parameters"]:
    """Return a copy of the model's unique parameters in one vector of float32, in main memory."""
    return torch.cat([tensor.cpu().float().flatten() for tensor in stored_tensors(model).values()])


def parent_weights(model: nn.Module, *, folder: Path | None) -> Weights:
    """Return a copy of the model's weights; as they lie in its folder, if one is given for that."""
    return flat_weights(model) if folder is None else map_model(model, folder)


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


def _checked(change: Factors | Tensor, *, name: str, expert: str) -> Factors | Tensor:
    parts = (change,) if isinstance(change, Tensor) else (change.first, change.second)
    if not all(bool(part.isfinite().all()) for part in parts):
        raise MergeError(f"expert '{expert}': its adapter changes '{name}' by NaN or infinite values; train it again")
    return change.float() if isinstance(change, Tensor) else change


def _read(file: Any, *, layout: Layout, of: str, optional_prefix: str | None) -> Iterator[tuple[str, Tensor]]:
    """Yield the layout's tensors of an expert's file by name; MergeError where one is missing, or another's."""
    stored = set(file.keys())
    unknown = sorted(stored - set(layout.names))
    if optional_prefix is not None:
        unknown = [name for name in unknown if not name.startswith(optional_prefix)]
    if unknown:
        raise MergeError(f"{of} has the tensor '{unknown[0]}', which the model lacks: another model")
    for name, shape in zip(layout.names, layout.shapes, strict=True):
        if name not in stored:
            raise MergeError(f"{of} lacks the tensor '{name}': another model or layout")
        tensor = file.get_tensor(name)
        if tensor.shape != shape:
            raise MergeError(
                f"{of}: '{name}' has shape {list(tensor.shape)}, expected {list(shape)}; experts of one merge must "
                "share their architecture"
            )
        yield name, tensor


def _copy(tensors: Iterable[tuple[str, Tensor]], *, out: Mapping[str, Tensor] | None, of: str) -> None:
    """Copy the tensors, if there is where to; MergeError if some are not finite."""
    num_bad = 0
    for name, tensor in tensors:
        if out is not None:
            out[name].copy_(tensor)
        if tensor.numel() and not bool(torch.stack(tensor.aminmax()).isfinite().all()):  # takes no memory
            num_bad += int((~tensor.isfinite()).sum())
    if num_bad:
        raise MergeError(f"{of}: {num_bad} weights are NaN or infinite; train it again")
