"""Open models to check them: folders, safetensors files and LoRA adapters, the last two by their base model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dfwe.errors import ModelError
from dfwe.merging.files.compatibility import Config
from dfwe.merging.files.tied_tensors import RenamedTensors
from dfwe.merging.files.vocabularies import Vocabulary, read_vocabulary
from dfwe.merging.files.weight_scan import are_equal
from dfwe.models.adapters import AdaptedCheckpoint, adapter_base, adapter_folder
from dfwe.models.checkpoint import Checkpoint, TensorSource, TensorSpec, wrapper_prefix
from dfwe.models.folders import CONFIG, model_folder, read_config
from dfwe.models.safe_config import check_configuration


@dataclass(frozen=True)
class CheckedModel:
    """A model's files, read as far as checks need them."""

    name: str
    path: Path
    source: TensorSource
    config: Config
    vocabulary: Vocabulary | None

    @property
    def specs(self) -> Mapping[str, TensorSpec]:
        """Shapes and types of its tensors."""
        return {name: self.source.spec(name) for name in self.source.names}

    @property
    def num_values(self) -> int:
        """Number of all values."""
        return sum(spec.num_values for spec in self.specs.values())

    @property
    def num_bytes(self) -> int:
        """Number of bytes that they take in their own types."""
        return sum(spec.num_bytes for spec in self.specs.values())


def open_model(name: str, path: Path, *, base: CheckedModel | None, cache: dict[str, Vocabulary]) -> CheckedModel:
    """Open a folder in Transformers' format; with a base model also a file without config.json, or a LoRA adapter.

    Raises:
        ModelError: what cannot be read, or an adapter of another base model.
    """
    path = path.expanduser()
    if (adapter := adapter_folder(path)) is not None:
        return _open_adapter(name, adapter, base=base, cache=cache)
    source, folder = Checkpoint(path), model_folder(path)
    if path.is_file() and folder is None and base is not None:
        return CheckedModel(name, path, _unwrapped(source, base=base), base.config, base.vocabulary)
    folder = folder or (path if path.is_dir() else path.parent)
    config = read_config(folder)
    check_configuration(config, where=str(folder / CONFIG))
    return CheckedModel(name, path, source, config, read_vocabulary(folder, cache=cache))


def _open_adapter(name: str, folder: Path, *, base: CheckedModel | None, cache: dict[str, Vocabulary]) -> CheckedModel:
    trained_on = adapter_base(folder)
    if base is None:
        raise ModelError(
            f"{folder} is a LoRA adapter, which is read with its base model: name that by --base "
            f"{trained_on or 'FOLDER'} (base=... in Python)"
        )
    is_another = trained_on is not None and trained_on.is_dir() and trained_on.resolve() != base.path.resolve()
    if trained_on is not None and is_another and not are_equal(Checkpoint(trained_on), base.source):
        raise ModelError(
            f"{folder} is a LoRA adapter of {trained_on}, which has other weights than {base.path}: name its own base "
            "model, or leave it out"
        )
    source = AdaptedCheckpoint(base.source, folder)
    source.path = folder  # in messages
    return CheckedModel(name, folder, source, base.config, read_vocabulary(folder, cache=cache) or base.vocabulary)


def _unwrapped(source: TensorSource, *, base: CheckedModel) -> TensorSource:
    """Return the file's tensors by the base's names, as a study reads them: without the words of a wrapper."""
    prefix = wrapper_prefix(source.names, model=base.source.names, of=str(source.path))
    return RenamedTensors(source, {name.removeprefix(prefix): name for name in source.names if name.startswith(prefix)})
