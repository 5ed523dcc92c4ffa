"""Train low-rank factors beside a model's frozen weights (LoRA), with PEFT, and keep them in its format."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dfwe.errors import ModelError
from dfwe.io.files import replacing, write_json
from dfwe.models.adapters import ADAPTER, Factors
from dfwe.models.folders import ADAPTER_CONFIG

LORA_FILES = (ADAPTER, ADAPTER_CONFIG)  # of a folder in PEFT's format: factors, settings
_PREFIX = "base_model.model."  # of all names in an adapter's file
_NAME = "default"  # PEFT's, of a model's only adapter


@dataclass(frozen=True)
class Lora:
    """Low-rank adaptation (Hu et al. 2022, arXiv:2106.09685): W + scale B A, where only A and B are trained.

    `rank`, `alpha`, `dropout` (of what A reads) and `targets` are PEFT's r, lora_alpha, lora_dropout and
    target_modules: ends of modules' names, or a regular expression, or `all-linear`. scale is alpha / rank, or
    alpha / sqrt(rank) with `rslora` (Kalajdzievski 2023, arXiv:2312.03732).
    """

    rank: int
    alpha: float
    dropout: float
    rslora: bool
    targets: str | Sequence[str]

    def spec(self) -> dict[str, Any]:
        """Return the settings as JSON."""
        return {**asdict(self), "targets": self._targets}

    def check_installed(self) -> None:
        """Raise ModelError where PEFT is missing."""
        if importlib.util.find_spec("peft") is None:
            raise ModelError("the package 'peft' that trains LoRA is not installed: run `pip install 'dfwe[lora]'`")

    def add_factors(self, network: nn.Module, *, seed: int) -> None:
        """Freeze the network's weights and put factors beside its targets: A drawn by the seed, B zero.

        Raises:
            ModelError: a target that the network lacks, that cannot have factors, or that shares its weight.
        """
        self.check_installed()
        import peft

        self._check_targets(network)
        config = peft.LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            use_rslora=self.rslora,
            target_modules=self._targets,
        )
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of is refused below, or right as it does it
            torch.default_generator.manual_seed(seed)
            try:
                peft.inject_adapter_in_model(config, network)
            except ValueError as error:
                raise ModelError(f"model.lora.targets={self.targets}: {str(error).partition('. ')[0]}") from error
        _check_untied(network)

    @property
    def _targets(self) -> str | list[str]:
        return self.targets if isinstance(self.targets, str) else sorted(self.targets)

    def _check_targets(self, network: nn.Module) -> None:
        names = [name for name, module in network.named_modules() if hasattr(module, "weight")]
        for target in self.targets if not isinstance(self.targets, str) else ():
            if not any(f".{name}".endswith(f".{target}") for name in names):
                known = sorted({name.rpartition(".")[2] for name in names} - {""})
                raise ModelError(
                    f"model.lora.targets: the model has no module '{target}': choose among {', '.join(known)}, or "
                    "all-linear"
                )


def save_lora(network: nn.Module, path: Path) -> None:
    """Save the network's factors in float32 under PEFT's names, under a temporary name first."""
    import peft

    factors = peft.get_peft_model_state_dict(network, save_embedding_layers=False)
    tensors = {_PREFIX + name: factor.detach().to("cpu", torch.float32).clone() for name, factor in factors.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary)


def save_lora_config(network: Any, folder: Path) -> None:
    """Write the file with which PEFT reads the factors beside it."""
    config = network.peft_config[_NAME].to_dict() | {"inference_mode": True}
    write_json(folder / ADAPTER_CONFIG, {key: _as_json(value) for key, value in config.items()})


def load_lora(network: nn.Module, file: Path) -> None:
    """Load the factors in an adapter's file into a network that has factors of the same shapes."""
    import peft

    tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in load_file(file).items()}
    result = peft.set_peft_model_state_dict(network, tensors)
    left = [*result.unexpected_keys, *(name for name in result.missing_keys if ".lora_" in name)]
    assert not left, f"{file} has other factors than the network: {left[0]}"


@contextmanager
def merged(network: nn.Module) -> Iterator[nn.Module]:
    """Let the network be a plain one with its factors' products added, as it will be loaded; then restore it.

    The frozen weights come back bit by bit.
    """
    layers = _layers(network)
    frozen = {name: layer.get_base_layer().weight.data for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            base = layer.get_base_layer()
            with torch.no_grad():
                base.weight.data = _factors(layer).added_to(base.weight.data)
            network.set_submodule(name, base)
        yield network
    finally:
        for name, layer in layers.items():
            layer.get_base_layer().weight.data = frozen[name]
            network.set_submodule(name, layer)


def _factors(layer: Any) -> Factors:
    is_embedding = _NAME in layer.lora_embedding_A
    first = layer.lora_embedding_A[_NAME] if is_embedding else layer.lora_A[_NAME].weight
    second = layer.lora_embedding_B[_NAME] if is_embedding else layer.lora_B[_NAME].weight
    is_transposed = is_embedding or bool(getattr(layer, "fan_in_fan_out", False))
    return Factors(first, second, layer.scaling[_NAME], is_transposed)


def _layers(network: nn.Module) -> dict[str, Any]:
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in network.named_modules() if isinstance(module, LoraLayer)}


def _check_untied(network: nn.Module) -> None:
    """Raise ModelError for a weight with factors that the model uses twice: merged, they would change both."""
    names: dict[int, list[str]] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    for target, layer in _layers(network).items():
        others = [name for name in names[id(layer.get_base_layer().weight)] if not name.startswith(f"{target}.")]
        if others:
            raise ModelError(
                f"model.lora.targets: {target} shares its weight with {others[0].removesuffix('.weight')}, and factors "
                "that are merged would change both: leave it out"
            )


def _as_json(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value
