"""Recognise folders with a model in Transformers' format, and refuse adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dfwe.errors import ModelError
from dfwe.io.strict_json import read_json_object

CONFIG, ADAPTER_CONFIG = "config.json", "adapter_config.json"


def local_folder(name: Any) -> Path | None:
    """Return the folder of that name; None if the name can only be a repository's on the Hub.

    Raises:
        ModelError: the name is not text, or a path that leads to nothing, or to a file.
    """
    if not isinstance(name, str | Path):  # YAML reads nan and 12 as numbers
        raise ModelError(f"a model's name must be text, not {name!r}: quote it, or write ./{name}")
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError(f"{path} is a file; name the folder with {CONFIG} and the weights")
    if not is_hub_name(str(name)):
        raise ModelError(f"there is no folder {path}: expected a model's folder, with {CONFIG} and the weights")
    return None


def is_hub_name(name: str) -> bool:
    """Return true for a name that could be a repository's on the Hub: `owner/model`, or `model` alone."""
    parts = name.split("/")
    return len(parts) <= 2 and all(part and part[0] not in ".~" for part in parts) and "\\" not in name


def read_config(folder: Path) -> dict[str, Any]:
    """Return the folder's config.json; ModelError if it is missing or broken, or for an adapter."""
    refuse_adapter(folder)
    return read_json_object(
        folder / CONFIG,
        error=ModelError,
        missing=f"{folder} holds no {CONFIG}: it is not a model's folder in Transformers' format",
    )


def model_folder(path: Path) -> Path | None:
    """Return the folder with the config.json of the model in that folder or file; None if there is none."""
    folder = path if path.is_dir() else path.parent
    return folder if (folder / CONFIG).exists() else None


def refuse_adapter(folder: Path) -> None:
    """Raise ModelError for the folder of a LoRA adapter or the like, naming the model it belongs to."""
    path = folder / ADAPTER_CONFIG
    if not path.exists():
        return
    if (folder / CONFIG).exists():
        raise ModelError(f"{folder} holds a model and a LoRA adapter: move {ADAPTER_CONFIG} away if the model is meant")
    raise ModelError(adapter_refusal(folder))


def adapter_refusal(path: Path) -> str:
    """Return the message about an adapter's folder or file in place of a model."""
    config = (path if path.is_dir() else path.parent) / ADAPTER_CONFIG
    base = read_json_object(config, error=ModelError).get("base_model_name_or_path") if config.exists() else None
    return (
        f"{path} is a LoRA adapter, not a model, and its factors cannot be merged by themselves; add it to "
        f"{base or 'its base model'} first (PEFT's merge_and_unload, then save_pretrained) and name that folder"
    )
