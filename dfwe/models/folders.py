"""Recognise folders with a model in Transformers' format and find its weights; refuse adapters and pickles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from dfwe.errors import ModelError
from dfwe.io.strict_json import read_json_object

INDEX, SINGLE, LONE_SHARD = "model.safetensors.index.json", "model.safetensors", "model-00001-of-00001.safetensors"
CONFIG, ADAPTER_CONFIG = "config.json", "adapter_config.json"
TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
VOCABULARIES = (TOKENIZER, "*.model", "*.spm", "vocab.*", "*vocab*", "tekken.json", "*.codes", "*.bpe")
WITHOUT_VOCABULARY = ("ByT5Tokenizer", "CanineTokenizer", "PerceiverTokenizer")  # theirs are the bytes
WEIGHTS_AND_CONFIG = (".safetensors", ".json", ".jinja", ".model", ".txt", ".bin")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


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


def ordered_labels(id2label: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return a classifier's labels in the order of its outputs, from its configuration."""
    return tuple(str(id2label[number]) for number in sorted(id2label, key=int))


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


def weight_files(path: Path) -> tuple[list[Path], Mapping[str, str]]:
    """Return the files that hold the tensors of that folder or file, and the index from tensors to files.

    As in Transformers, `model.safetensors` precedes an index, which may be left from an older model. The index is
    empty if one file holds all tensors.

    Raises:
        ModelError: there are none; names what there is instead.
    """
    _check_name(path)
    if path.is_file():
        _check_is_safetensors(path)
        return [path], {}
    if not path.is_dir():
        raise ModelError(_nothing_there(path))
    refuse_adapter(path)
    if (path / SINGLE).exists():
        return [path / SINGLE], {}
    if (path / INDEX).exists():
        index = _index(path / INDEX)
        return [path / name for name in sorted(set(index.values()))], index
    if (path / LONE_SHARD).exists() and len(list(path.glob("model*.safetensors"))) == 1:
        return [path / LONE_SHARD], {}
    raise ModelError(_no_weights(path))


def open_weights(path: Path) -> Any:
    """Open the file and read its header alone; ModelError for anything wrong with it."""
    _check_name(path)
    if not path.exists():
        raise ModelError(f"{path} is missing: copy or download the model again")
    if not path.is_file():
        raise ModelError(f"{path} must be a file; it is a folder, a pipe or a device")
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {_damage(path, error=error)}") from error


def _check_name(path: Path) -> None:
    try:
        path.exists()
    except OSError as error:  # a name longer than a file's can be, or a folder that one may not look into
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error


def _index(path: Path) -> dict[str, str]:
    places = read_json_object(path, error=ModelError).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()) or not places:
        raise ModelError(f"{path} is not an index of shards: expected `weight_map`, from tensors to files")
    for name in places.values():
        if Path(name).name != name or "\0" in name:
            raise ModelError(f"{path} names a shard '{name}' that is not a file of its folder")
    return places


def _check_is_safetensors(path: Path) -> None:
    if any(path.match(pattern) for pattern in _PICKLES):
        raise ModelError(f"{path} holds pickled weights: {_conversion(path.parent)}")


def _damage(path: Path, *, error: Exception) -> str:
    """Return a description of a file that is not complete safetensors."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return "it is empty; copy or download it again"
    if head.startswith(b"version ") and b"git-lfs" in head:
        return "it is a pointer of Git LFS, not the weights; run `git lfs pull` in its folder"
    return f"it is cut short or damaged ({error}); copy or download it again"


def _nothing_there(path: Path) -> str:
    name = str(path)
    if is_hub_name(name) and "/" in name:
        return (
            f"there is no folder {path}, and nothing is downloaded here: if it is a repository on the Hub, download it "
            "into a folder (`hf download`) and name that"
        )
    return f"there is no folder {path}: expected a model's folder, with config.json and {SINGLE}"


def _no_weights(folder: Path) -> str:
    if pickles := sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern)):
        return f"{folder} holds its weights as pickles alone ({pickles[0]}): {_conversion(folder)}"
    if files := sorted(file.name for file in folder.glob("*.safetensors")):
        return f"{folder} holds no {SINGLE} (nor {INDEX}), but {files[0]}: name that file, or rename it to {SINGLE}"
    return f"{folder} holds no {SINGLE} (nor {INDEX}): a model's folder in Transformers' format is expected"


def _conversion(folder: Path) -> str:
    return (
        "these are not read, since a pickle can run code; convert them, where you trust them, by "
        f"AutoModel...from_pretrained('{folder}').save_pretrained('<new folder>') of Transformers"
    )
