"""Add LoRA adapters in PEFT's format to their base models, tensor by tensor, without building a model."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from dfwe.errors import ModelError
from dfwe.io.files import replacing, write_json
from dfwe.io.strict_json import read_json_object
from dfwe.models.checkpoint import TensorSource, TensorSpec
from dfwe.models.folders import ADAPTER_CONFIG, CONFIG, open_weights
from dfwe.values.allowed import is_regular_expression

ADAPTER = "adapter_model.safetensors"
_FACTOR = re.compile(r"(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(\.default)?(\.weight)?")
_LARGEST = 1e9  # a scale beyond it is a mistake
_PREFIX = "base_model.model."
_WRAPPER = re.compile(r"\.(base_layer|modules_to_save\.default)(?=\.)")
_UNSUPPORTED = {  # fields that change what the factors mean
    "use_dora": "DoRA",
    "use_qalora": "QA-LoRA",
    "lora_bias": "biases of factors",
    "layer_replication": "replicated layers",
    "target_parameters": "adapted parameters",
    "trainable_token_indices": "trained tokens",
    "alora_invocation_tokens": "activated LoRA",
}
# starts from which training leaves the base model as it was; others, such as PiSSA and OLoRA, change its weights, too
_PLAIN_STARTS = ("true", "false", "gaussian", "eva", "mica", "orthogonal")


@dataclass(frozen=True, eq=False)
class Factors:
    """Hold what an adapter adds to one matrix: scale B A, transposed where the layer stores its matrix so."""

    first: Float[Tensor, "rank inputs"]  # A
    second: Float[Tensor, "outputs rank"]  # B
    scale: float
    is_transposed: bool

    @property
    def left(self) -> Float[Tensor, "rows rank"]:
        """Left factor of the matrix as it is stored, without the scale."""
        return self.first.T if self.is_transposed else self.second

    @property
    def right(self) -> Float[Tensor, "rank columns"]:
        """Right factor of the matrix as it is stored."""
        return self.second.T if self.is_transposed else self.first

    def added_to(self, base: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
        """Return the matrix with the product added, as a new tensor where the matrix lies."""
        product = (self.second @ self.first).to(base.device)
        return torch.add(base, product.T if self.is_transposed else product, alpha=self.scale)


class AdaptedCheckpoint(TensorSource):
    """Read a base model's tensors with a LoRA adapter added: W + scale B A, in float32.

    scale is lora_alpha / r, or lora_alpha / sqrt(r) with `use_rslora`. Whole tensors of the adapter (`modules_to_save`,
    biases) take the place of the base's. What begins with `optional_prefix` may be there though the base lacks it.

    Raises:
        ModelError: an adapter of another kind, or of another model.
    """

    def __init__(self, base: TensorSource, adapter: Path, *, optional_prefix: str | None = None) -> None:
        self.path, self._base, self._adapter, self._optional_prefix = base.path, base, adapter, optional_prefix
        self._config = _adapter_config(adapter)
        self._file = open_weights(adapter / ADAPTER)
        self._whole: dict[str, str] = {}  # the adapter's names, by the base's
        self._factors: dict[str, dict[str, str]] = {}
        self._modules: dict[str, str] = {}
        for key in self._file.keys():  # noqa: SIM118
            self._place(key)
        for name, factors in self._factors.items():
            self._check(name, factors=factors)

    @property
    def names(self) -> frozenset[str]:
        """Names of the tensors: the base's."""
        return self._base.names

    @property
    def changed(self) -> frozenset[str]:
        """Names of the tensors that the adapter changes."""
        return frozenset((*self._factors, *self._whole))

    def spec(self, name: str) -> TensorSpec:
        """Return the base tensor's spec."""
        return self._base.spec(name)

    def file_of(self, name: str) -> Path:
        """Return the file that is likely to blame, for messages."""
        return self._adapter / ADAPTER if name in self._factors or name in self._whole else self._base.file_of(name)

    def tensor(self, name: str) -> Tensor:
        """Return the tensor with what the adapter adds to it, of float32 then."""
        if name not in self._factors and name not in self._whole:
            return self._base.tensor(name)
        change = self.change(name)
        return change.added_to(self._base.tensor(name).float()) if isinstance(change, Factors) else change

    def change(self, name: str) -> Factors | Tensor:
        """Return the factors of what is added to one of the `changed` tensors, or the tensor that takes its place."""
        if name in self._whole:
            return self._read(self._whole[name])
        factors = self._factors[name]
        first, second = self._read(factors["A"]).float(), self._read(factors["B"]).float()
        return Factors(first, second, self._scale(name), self._is_transposed(factors))

    def save(self, folder: Path, *, names: Mapping[str, str]) -> bool:
        """Write the adapter in PEFT's format, for a model that has other `names` for the base's tensors.

        Nothing is written, and false returned, where two tensors that it changes are one in that model.
        """
        if len({names[name] for name in self.changed}) < len(self.changed):
            return False
        tensors = {f"{_PREFIX}{names[name]}": self._read(key) for name, key in self._whole.items()}
        alphas = {}
        for name, factors in self._factors.items():
            module = names[name].removesuffix(".weight")
            alphas[re.escape(module)] = self._alpha(name)
            for key in factors.values():
                tensors[f"{_PREFIX}{module}{key.removeprefix(_PREFIX).removeprefix(self._modules[name])}"] = self._read(
                    key
                )
        with replacing(folder / ADAPTER) as path:
            save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path, metadata={"format": "pt"})
        is_plain = not self._config.get("alpha_pattern")
        write_json(folder / ADAPTER_CONFIG, {**self._config, "alpha_pattern": {} if is_plain else alphas})
        return True

    def _is_transposed(self, factors: Mapping[str, str]) -> bool:
        return ".lora_embedding_" in factors["A"] or bool(self._config.get("fan_in_fan_out"))

    def _scale(self, name: str) -> float:
        """Return by how much the product counts; its rank is the factors' own, whatever `rank_pattern` says."""
        rank = self._shape(self._factors[name]["A"])[0]
        return self._alpha(name) / (math.sqrt(rank) if self._config.get("use_rslora") else rank)

    def _alpha(self, name: str) -> float:
        patterns = self._config.get("alpha_pattern") or {}
        matching = (
            value for key, value in patterns.items() if re.match(rf"(.*\.)?({key})$", self._modules[name]) is not None
        )
        return float(next(matching, self._config["lora_alpha"]))

    def _place(self, key: str) -> None:
        """Note which of the base's tensors the adapter's tensor changes."""
        plain = key.removeprefix(_PREFIX)
        if self._is_optional(plain):
            return
        if match := _FACTOR.fullmatch(plain):
            name = self._base_name(f"{match['module']}.weight")
            self._factors.setdefault(name, {})[match["side"]] = key
            self._modules[name] = match["module"]
        else:
            name = self._base_name(_WRAPPER.sub("", plain))
            if self._shape(key) != self._base.spec(name).shape:
                raise ModelError(
                    f"{self._adapter} has '{name}' in another shape than {self.path}: save that model again"
                )
            self._whole[name] = key

    def _is_optional(self, plain: str) -> bool:
        """Return true for a tensor that the base need not have, such as one of another task's head, and has not."""
        if self._optional_prefix is None or not plain.startswith(self._optional_prefix):
            return False
        match = _FACTOR.fullmatch(plain)
        return (f"{match['module']}.weight" if match else _WRAPPER.sub("", plain)) not in self._base.names

    def _base_name(self, name: str) -> str:
        """Return the base's name of the tensor; a model's class may put one part before all names."""
        longer = [other for other in self._base.names if other.partition(".")[2] == name]
        for candidate in (name, name.partition(".")[2], *longer):
            if candidate in self._base.names:
                return candidate
        raise ModelError(
            f"{self._adapter} changes '{name}', which {self.path} lacks: name the base model that it was trained on"
        )

    def _check(self, name: str, *, factors: Mapping[str, str]) -> None:
        shapes = {side: self._shape(key) for side, key in factors.items()}
        shape = self._base.spec(name).shape
        if (
            shapes.keys() != {"A", "B"}
            or any(len(pair) != 2 for pair in (*shapes.values(), shape))
            or not shapes["A"][0]
        ):
            raise ModelError(f"{self._adapter}: the factors of '{name}' are not two matrices for a matrix")
        product = (shapes["B"][0], shapes["A"][1])
        if (product[::-1] if self._is_transposed(factors) else product) != shape or shapes["A"][0] != shapes["B"][1]:
            raise ModelError(
                f"{self._adapter}: the factors of '{name}' make {list(product)}, {self.path} has {list(shape)} there: "
                "name the base model that it was trained on"
            )

    def _shape(self, key: str) -> tuple[int, ...]:
        return tuple(self._file.get_slice(key).get_shape())

    def _read(self, key: str) -> Tensor:
        tensor: Tensor = self._file.get_tensor(key)
        return tensor


@dataclass(frozen=True)
class AdapterContent:
    """Say of an adapter which ranks its factors have, and which tensors it has whole."""

    ranks: frozenset[int]
    whole: tuple[str, ...]


def adapter_content(folder: Path) -> AdapterContent:
    """Read what the adapter in a folder holds, without its numbers; ModelError where it is not LoRA."""
    _adapter_config(folder)
    file = open_weights(folder / ADAPTER)
    matches = {key: _FACTOR.fullmatch(key) for key in file.keys()}  # noqa: SIM118
    firsts = [key for key, match in matches.items() if match is not None and match["side"] == "A"]
    ranks = frozenset(file.get_slice(key).get_shape()[0] for key in firsts)
    return AdapterContent(ranks, tuple(sorted(key for key, match in matches.items() if match is None)))


def num_values(folder: Path) -> int:
    """Return how many numbers the adapter in a folder has."""
    file = open_weights(folder / ADAPTER)
    return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118


def save_factors(folder: Path, factors: Mapping[str, Factors]) -> None:
    """Write factors of one rank by the names of tensors as an adapter in PEFT's format; their scale is in B."""
    tensors = {}
    for name, part in factors.items():
        module = f"{_PREFIX}{name.removesuffix('.weight')}"
        tensors[f"{module}.lora_A.weight"] = part.right.contiguous()
        tensors[f"{module}.lora_B.weight"] = (part.left * part.scale).contiguous()
    (rank,) = {part.first.shape[0] for part in factors.values()}
    modules = [name.removesuffix(".weight") for name in factors]
    with replacing(folder / ADAPTER) as path:
        save_file(tensors, path, metadata={"format": "pt"})
    write_json(folder / ADAPTER_CONFIG, {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": modules})


def adapter_folder(path: Path) -> Path | None:
    """Return the folder of the adapter that the file or folder is; None for all else, such as a model beside one."""
    if path.name == ADAPTER:
        return path.parent if (path.parent / ADAPTER_CONFIG).exists() else None
    return path if (path / ADAPTER_CONFIG).exists() and not (path / CONFIG).exists() else None


def adapter_base(folder: Path) -> Path | None:
    """Return where the base model that the adapter's configuration names would be, relative to here."""
    name = read_json_object(folder / ADAPTER_CONFIG, error=ModelError).get("base_model_name_or_path")
    return Path(name) if isinstance(name, str) and name else None


def _adapter_config(folder: Path) -> dict[str, Any]:
    config = read_json_object(folder / ADAPTER_CONFIG, error=ModelError, missing=f"{folder} holds no {ADAPTER_CONFIG}")
    kinds = [words for field, words in _UNSUPPORTED.items() if config.get(field)]
    if (kind := str(config.get("peft_type")).upper()) != "LORA" or kinds:
        raise ModelError(
            f"{folder} is an adapter with {kinds[0] if kinds else kind}, and plain LoRA alone is added here: add it to "
            "its base model first (PEFT's merge_and_unload, then save_pretrained) and name that folder"
        )
    if (start := str(config.get("init_lora_weights", True))).lower() not in _PLAIN_STARTS:
        raise ModelError(
            f"{folder} started with init_lora_weights={start}, which changes the base model's weights, too: save it by "
            "PEFT's save_pretrained with path_initial_model_for_weight_conversion, and name that folder"
        )
    if not (folder / ADAPTER).exists():
        raise ModelError(f"{folder} holds no {ADAPTER}: save the adapter as safetensors")
    _check_alphas(config, path=folder / ADAPTER_CONFIG)
    return config


def _check_alphas(config: Mapping[str, Any], *, path: Path) -> None:
    patterns = config.get("alpha_pattern") or {}
    if not isinstance(patterns, Mapping) or not all(map(is_regular_expression, patterns)):
        raise ModelError(f"{path}: `alpha_pattern` must have regular expressions and numbers")
    alphas = (config.get("lora_alpha"), *patterns.values())
    if not all(isinstance(alpha, int | float) and abs(alpha) < _LARGEST for alpha in alphas):
        raise ModelError(f"{path}: `lora_alpha` and `alpha_pattern` must be numbers")
