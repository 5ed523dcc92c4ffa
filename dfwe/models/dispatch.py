"""Models whose parts lie on several devices (`device_map`): where their weights are, and where inputs go."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dfwe.errors import ModelError


def is_dispatched(model: nn.Module) -> bool:
    """Return whether accelerate placed the model's parts, or a part's, on several devices."""
    return any(hasattr(module, "_hf_hook") for module in model.modules())


def stored_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the unique parameters by name where they lie: in main memory those that are offloaded to it.

    Whatever is written there is the model's weights.
    """
    modules = dict(model.named_modules())
    return {name: _stored(modules, name, parameter) for name, parameter in model.named_parameters()}


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters as `stored_tensors` does, tied ones under all their names."""
    modules = dict(model.named_modules())
    named = model.named_parameters(remove_duplicate=False)
    return {name: _stored(modules, name, parameter) for name, parameter in named}


def check_dispatched(model: nn.Module, *, where: str) -> None:
    """Raise ModelError for parts on disk: they would be read again for every batch, and cannot be merged in place."""
    places = getattr(model, "hf_device_map", None) or {}
    if on_disk := [name or "the model" for name, place in places.items() if str(place) == "disk"]:
        raise ModelError(
            f"{where}: model.device_map leaves {len(on_disk)} parts on disk ({on_disk[0]}): raise model.max_memory, or "
            "take a machine with more memory"
        )


def input_device(model: nn.Module) -> torch.device:
    """Return the device of a model's inputs, which its first parameter is on when it computes."""
    first = next(model.parameters()).device
    if first.type != "meta":
        return first
    devices = (hook.execution_device for module in model.modules() for hook in _hooks(module))
    return next(torch.device(device) for device in devices if device is not None)


def _stored(modules: dict[str, nn.Module], name: str, parameter: Tensor) -> Tensor:
    if parameter.device.type != "meta":
        return parameter.detach()
    place, _, attribute = name.rpartition(".")
    for hook in _hooks(modules[place]):
        if hook.weights_map is not None:
            tensor: Tensor = hook.weights_map[attribute]
            return tensor.detach()
    return parameter.detach()  # a model without storage


def _hooks(module: nn.Module) -> list[Any]:
    """Return accelerate's hooks that place a module's weights."""
    hook = getattr(module, "_hf_hook", None)
    hooks = getattr(hook, "hooks", [hook])  # several in a sequence
    return [hook for hook in hooks if hasattr(hook, "execution_device")]
