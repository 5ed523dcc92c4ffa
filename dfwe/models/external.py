"""Models that were trained elsewhere: folders, files, repositories and adapters, and how their weights become ours."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dfwe.errors import ModelError, first_line
from dfwe.models.adapters import AdaptedCheckpoint, adapter_folder
from dfwe.models.checkpoint import Checkpoint, LoadedTensors, is_recomputed, wrapper_prefix
from dfwe.models.dispatch import named_tensors, stored_tensors
from dfwe.models.folders import CONFIG, is_hub_name
from dfwe.models.sources import file_sha256, weights_identity
from dfwe.models.weight_checks import list_names
from dfwe.values.names import reserved_names

log = logging.getLogger(__name__)

Align = Callable[[str, Tensor, Tensor], Tensor]
Form = Literal["model", "file", "lightning", "adapter"]
STORED = "weights.safetensors"  # of a store's entry
_LIGHTNING = (".ckpt",)


@dataclass(frozen=True)
class ExternalModel:
    """A model that was trained elsewhere, by the name that the user gave.

    Its form is `model` (a folder that Transformers loads, or a repository on the Hub), `file` (safetensors, or an entry
    of a store), `lightning` (a checkpoint of Lightning's) or `adapter` (a folder of PEFT's).
    """

    name: str

    @property
    def form(self) -> Form:
        """What there is under the name.

        Raises:
            ModelError: nothing, or something else.
        """
        path = self.path
        if path.is_dir():
            if adapter_folder(path) is not None:
                return "adapter"
            return "file" if (path / STORED).exists() and not (path / CONFIG).exists() else "model"
        if path.is_file():
            if path.suffix in _LIGHTNING:
                return "lightning"
            if path.suffix == ".safetensors":
                return "file"
            raise ModelError(
                f"{path} is neither a folder nor a file of weights: name a model's folder, a .safetensors file or a "
                "Lightning checkpoint (.ckpt)"
            )
        if not is_hub_name(self.name):
            raise ModelError(f"there is no folder or file {path}")
        return "model"

    @property
    def path(self) -> Path:
        """The name as a path."""
        return Path(self.name).expanduser()

    @property
    def configured_in(self) -> str | None:
        """Folder or repository with the model's configuration: of a file the folder beside it, None without one."""
        if self.form == "model":
            return self.name
        return str(self.path.parent) if (self.path.parent / CONFIG).exists() else None

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Digests of its files, or its repository's name; read once, for the files may be large."""
        if self.form in ("file", "lightning"):
            return {"source": "file", "sha256": file_sha256(self._file)}
        if self.form == "adapter":
            files = sorted(file for file in self.path.iterdir() if file.suffix in (".safetensors", ".json", ".bin"))
            return {"source": "adapter", "files": {file.name: file_sha256(file) for file in files}}
        return weights_identity(self.name, revision="main")

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the tensors of a file by their names there.

        Raises:
            ModelError: the file is damaged, or holds more than weights.
        """
        if self.form != "lightning":
            checkpoint = Checkpoint(self._file)
            return {name: checkpoint.tensor(name) for name in sorted(checkpoint.names)}
        try:
            content = torch.load(self._file, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:  # a stranger's file makes torch raise anything
            raise ModelError(
                f"{self.name} cannot be read as weights alone ({first_line(error)}): if you trust the file, write its "
                "weights into another: torch.save({'state_dict': torch.load(FILE, weights_only=False)['state_dict']}, "
                "OTHER)"
            ) from error
        state = content.get("state_dict") if isinstance(content, Mapping) else None
        if not isinstance(state, Mapping):
            raise ModelError(f"{self.name} holds no state_dict: it is not a checkpoint of Lightning's")
        return {str(name): tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}

    @property
    def _file(self) -> Path:
        return self.path / STORED if self.path.is_dir() else self.path


def copy_external(
    network: nn.Module, external: ExternalModel, *, load: Callable[[str], nn.Module], align: Align | None = None
) -> None:
    """Copy the weights of a model that was trained elsewhere into a network of the same architecture.

    `load` builds the model in a folder or repository. An adapter is added to the network's own weights. `align` puts
    a tensor's rows into the order of the network's tokens, given the tensor's name and the network's own tensor.

    Raises:
        ModelError: tensors are missing, left over, of another shape, NaN or infinite; names them, and what to do.
    """
    if external.form == "adapter":
        add_adapter(network, external)
    elif external.form == "model":
        tensors = dict(load(external.name).state_dict())
        if align is not None:
            state = {**network.state_dict(), **named_tensors(network)}
            tensors = {n: align(n, tensor, state[n]) if n in state else tensor for n, tensor in tensors.items()}
        _copy(network, tensors, of=external.name)
    else:
        _copy(
            network,
            _unwrapped(external.tensors(), names=network.state_dict().keys(), of=external.name),
            of=external.name,
        )
    if bad := [name for name, tensor in stored_tensors(network).items() if not bool(tensor.isfinite().all())]:
        raise ModelError(f"{external.name}: NaN or infinite values in {list_names(bad)}: leave this model out")


def add_adapter(network: nn.Module, external: ExternalModel) -> None:
    """Add a LoRA's products to the network's own weights; ModelError where the adapter does not suit the network."""
    parameters, adapted = named_tensors(network), _adapted(network, external)
    with torch.no_grad():
        for name in adapted.changed:
            parameters[name].copy_(adapted.tensor(name))


def check_brings(adapter: ExternalModel, tensors: Collection[str], *, network: nn.Module) -> None:
    """Raise ModelError where a LoRA does not bring or change all tensors that its base model lacks: its head."""
    if lacking := sorted({*tensors} - _adapted(network, adapter).changed):
        raise ModelError(
            f"{adapter.name} is a LoRA without {list_names(lacking)} of the head, and the base model has no head with "
            "the target's labels: save the adapter with its whole head (PEFT: task_type='SEQ_CLS', modules_to_save), "
            "set base_model= to the classifier that it was trained on, or merge it into a whole model "
            "(merge_and_unload) and name that"
        )


def save_adapter(network: nn.Module, external: ExternalModel, *, model: nn.Module, folder: Path) -> bool:
    """Write a LoRA of the network into a folder, its tensors named as in `model`, which has the network's parameters.

    Nothing is written, and false returned, where two tensors that it changes are tied.
    """
    return _adapted(network, external).save(folder, names=names_in(model, of=network))


def names_in(model: nn.Module, *, of: nn.Module) -> dict[str, str]:
    """Return the model's names of the parameters of a network that shares them, tied ones under all their names."""
    places = {id(parameter): name for name, parameter in model.named_parameters()}
    return {name: places[id(parameter)] for name, parameter in of.named_parameters(remove_duplicate=False)}


def _adapted(network: nn.Module, external: ExternalModel) -> AdaptedCheckpoint:
    return AdaptedCheckpoint(LoadedTensors(named_tensors(network), title="the base model"), external.path)


def named_models(given: Mapping[Any, Any] | Sequence[Any]) -> dict[str, ExternalModel]:
    """Return models by name: the user's, or those that their paths give.

    Raises:
        ModelError: two are the same, one is not there, or a name is that of a row that every study has.
    """
    named = dict(given) if isinstance(given, Mapping) else names_of([str(model) for model in given])
    if taken := [name for name in named if name in reserved_names()]:
        raise ModelError(
            f"experts: '{taken[0]}' is the name of a row that every study has; name it otherwise, as in "
            f"experts={{my_{taken[0]}: {named[taken[0]]}}}"
        )
    models = {str(name): ExternalModel(str(model)) for name, model in named.items()}
    for external in models.values():
        external.form  # noqa: B018  # what is not there shows now
    return models


def names_of(models: Sequence[str]) -> dict[str, str]:
    """Return the models by short names: the last parts of their paths, as many as tell them apart."""
    parts = [re.split(r"[/\\]+", model.rstrip("/\\")) for model in models]
    for depth in range(1, max(map(len, parts), default=1) + 1):
        names = ["-".join(part for part in path[-depth:] if part not in ("", "~", "..", ".")) for path in parts]
        names = [re.sub(r"[^\w.+-]", "_", name.removesuffix(".safetensors").removesuffix(".ckpt")) for name in names]
        if len(set(names)) == len(names) and all(names):
            return dict(zip(names, models, strict=True))
    raise ModelError(f"two experts are the same: {', '.join(models)}")


def _copy(network: nn.Module, tensors: Mapping[str, Tensor], *, of: str) -> None:
    """Copy tensors by name; a parameter may come under any of its tied names."""
    places: dict[int, list[str]] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        places.setdefault(id(parameter), []).append(name)
    known = {name for names in places.values() for name in names} | {name for name, _ in network.named_buffers()}
    stored = stored_tensors(network)
    if extra := [name for name in sorted(tensors.keys() - known) if not is_recomputed(name)]:
        raise ModelError(f"{of} has {list_names(extra)}, which the base model lacks: it is another model")
    for name, parameter in network.named_parameters():
        given = [other for other in places[id(parameter)] if other in tensors]
        if not given:
            raise ModelError(f"{of} lacks {name}: it is another model, or its file is not complete")
        tensor = tensors[given[0]]
        if tensor.shape != parameter.shape:
            raise ModelError(
                f"{of}: {given[0]} has the shape {list(tensor.shape)}, the base model's has {list(parameter.shape)}: "
                "experts of one merge share their architecture, vocabulary and labels"
            )
        if untied := [other for other in given[1:] if not torch.equal(tensors[other], tensor)]:
            raise ModelError(
                f"{of} has other values in {untied[0]} than in {given[0]}, which are tied in the base model: it is "
                "another model, or its output layer was trained apart"
            )
        with torch.no_grad():
            stored[name].copy_(tensor)


def _unwrapped(tensors: Mapping[str, Tensor], *, names: Collection[str], of: str) -> dict[str, Tensor]:
    """Return the tensors under the model's own names; what has no wrapper's words before it is left out."""
    prefix = wrapper_prefix(tensors.keys(), model=names, of=of)
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
