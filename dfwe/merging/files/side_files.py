"""Copy what lies beside the weights into a merge's folder: configuration, tokenizer, templates, licences."""

from __future__ import annotations

import filecmp
import fnmatch
import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dfwe.errors import MergeError
from dfwe.io.files import write_json
from dfwe.io.strict_json import read_json_object
from dfwe.merging.files.slices import LayerRange, config_of_layers
from dfwe.models.folders import CONFIG, model_folder

log = logging.getLogger(__name__)

_PLACES = ("*", "[0-9]*_*/*", "additional_chat_templates/*")  # 1_Pooling/ and others of Sentence Transformers
_TOKENIZER = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.spm",
    "*.codes",
    "*.bpe",
    "*.tiktoken",
    "tekken.json",
    "chat_template*",
    "additional_chat_templates/*",
)
_TEXTS = ("*.json", "*.txt", "*.jinja", "LICEN[CS]E*", "NOTICE*", "COPYING*", "USE_POLICY*")
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack", "*.gguf", "*.onnx", "*.ot")
_ABOUT_ANOTHER = (  # what is not true of a merge
    "*.index.json",
    "dfwe.json",
    "adapter_config.json",
    "quantize_config.json",
    "trainer_state.json",
    "*results.json",
)


def copy_side_files(sources: Sequence[Path], *, folder: Path, dtype: str | None) -> None:
    """Copy what belongs to the first of the models into `folder`; its config.json then names `dtype`.

    If it has no tokenizer, copy that of the first model with one. Warn about files left out and differing tokenizers.
    """
    folders = [path for source in sources if (path := model_folder(source))]
    if not folders or model_folder(sources[0]) is None:
        log.warning("%s has no %s: nothing but the weights is written", sources[0], CONFIG)
        return
    files = _files(folders[0])
    wanted = [file for file in files if _matches(file, (*_TOKENIZER, *_TEXTS)) and not _matches(file, _ABOUT_ANOTHER)]
    _copy(wanted, source=folders[0], folder=folder)
    if left := [file for file in files if file not in wanted and not _matches(file, (*_WEIGHTS, *_ABOUT_ANOTHER))]:
        log.warning("not copied from %s: %s", folders[0], ", ".join(map(str, left)))
    _keep_tokenizer(folders, folder=folder)
    if dtype is not None and (folder / CONFIG).exists():
        content = read_json_object(folder / CONFIG, error=MergeError)
        if (changed := with_dtype(content, dtype=dtype)) != content:
            write_json(folder / CONFIG, changed)


def set_num_layers(folder: Path, stack: Sequence[LayerRange], *, paths: Sequence[Path]) -> None:
    """Write into the folder's config.json how many layers the stack has, given its ranges' models.

    Raises:
        MergeError: the configuration has no number of layers.
    """
    if not (folder / CONFIG).exists():
        return
    config = read_json_object(folder / CONFIG, error=MergeError)
    origins = [path for source in paths if (path := model_folder(source))]
    configs = [read_json_object(path / CONFIG, error=MergeError) for path in origins]
    changed = config_of_layers(config, ranges=stack, configs=configs)
    write_json(folder / CONFIG, changed)


def with_dtype(config: dict[str, Any], *, dtype: str) -> dict[str, Any]:
    """Return the configuration with that type of weights, in each of its parts that names one."""
    parts = {
        name: with_dtype(value, dtype=dtype) if {"dtype", "torch_dtype"} & value.keys() else value
        for name, value in config.items()
        if isinstance(value, dict)
    }
    keys = [key for key in ("dtype", "torch_dtype") if key in config] or ["dtype"]
    return config | parts | dict.fromkeys(keys, dtype)


def _keep_tokenizer(folders: Sequence[Path], *, folder: Path) -> None:
    """Copy the tokenizer of the first model that has one, unless it is there already."""
    with_one = [path for path in dict.fromkeys(folders) if _tokenizer(path)]
    if not with_one:
        return
    files = _tokenizer(with_one[0])
    if with_one[0] != folders[0]:
        _copy(files, source=with_one[0], folder=folder)
        log.warning("%s has no tokenizer: that of %s is taken", folders[0], with_one[0])
    for other in with_one[1:]:
        shared = [file for file in files if (other / file).is_file()]
        if differing := [str(f) for f in shared if not filecmp.cmp(with_one[0] / f, other / f, shallow=False)]:
            message = "the tokenizers of %s and %s differ (%s): that of %s is taken"
            log.warning(message, with_one[0], other, ", ".join(differing), with_one[0])


def _tokenizer(folder: Path) -> list[Path]:
    files = [file for file in _files(folder) if _matches(file, _TOKENIZER)]
    vocabularies = [file for file in files if not _matches(file, ("chat_template*", "additional_chat_templates/*"))]
    return files if vocabularies else []


def _files(folder: Path) -> list[Path]:
    """Return the names of the folder's files, and of those below it that belong to the model; hidden ones aside."""
    names = (path.relative_to(folder) for place in _PLACES for path in folder.glob(place) if path.is_file())
    return sorted(name for name in names if not name.name.startswith("."))


def _matches(file: Path, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(str(file), pattern) for pattern in patterns)


def _copy(files: Iterable[Path], *, source: Path, folder: Path) -> None:
    for file in files:
        (folder / file).parent.mkdir(exist_ok=True)
        shutil.copyfile(source / file, folder / file)
