"""Give models whose tokenizers differ by added tokens one vocabulary: rows move by token, not by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.io.files import write_json
from dfwe.io.strict_json import read_json_object
from dfwe.merging.files.tied_tensors import has_token_embeddings, is_vocabulary_tensor, token_axis
from dfwe.models.checkpoint import TensorSource, TensorSpec
from dfwe.models.folders import CONFIG, TOKENIZER, TOKENIZER_CONFIG, model_folder

TokenizerSource = Literal["union", "base"]
TOKENIZER_SOURCES: tuple[TokenizerSource, ...] = ("union", "base")


@dataclass(frozen=True)
class Tokenizer:
    """A model's `tokenizer.json`, and the number of each of its tokens."""

    path: Path
    content: Mapping[str, Any]
    numbers: Mapping[str, int]

    @property
    def added(self) -> Mapping[str, Mapping[str, Any]]:
        """Entries of its added tokens."""
        return {entry["content"]: entry for entry in self.content.get("added_tokens") or ()}

    @property
    def num_tokens(self) -> int:
        """The highest number of a token, plus one."""
        return 1 + max(self.numbers.values(), default=-1)


TokenizedModel = tuple[TensorSource, Tokenizer]


class AlignedTensors(TensorSource):
    """Read a model with the rows of another tokenizer's tokens.

    A token that the model lacks has the base model's row, or, where that lacks it, too, the mean of those models' that
    have it.
    """

    def __init__(
        self, model: TokenizedModel, *, models: Sequence[TokenizedModel], base: TokenizedModel | None, result: Tokenizer
    ) -> None:
        self._source, self._tokenizer = model
        self.path, self._models, self._base, self._result = self._source.path, models, base, result

    @property
    def names(self) -> frozenset[str]:
        """Names of the tensors."""
        return self._source.names

    def spec(self, name: str) -> TensorSpec:
        """Return the tensor's spec, with a row per token."""
        spec = self._source.spec(name)
        if not is_vocabulary_tensor(name):
            return spec
        shape = list(spec.shape)
        shape[token_axis(name)] = self._result.num_tokens
        return TensorSpec(tuple(shape), spec.dtype)

    def tensor(self, name: str) -> Tensor:
        """Return the tensor, its rows in the order of the result's tokens."""
        if not is_vocabulary_tensor(name):
            return self._source.tensor(name)
        axis, numbers = token_axis(name), self._tokenizer.numbers
        rows = self._source.tensor(name).movedim(axis, 0)
        aligned = rows.new_zeros((self._result.num_tokens, *rows.shape[1:]))
        pairs = [(to, numbers[token]) for token, to in self._result.numbers.items() if token in numbers]
        aligned[[to for to, _ in pairs]] = rows[[number for _, number in pairs]]
        for token, to in self._result.numbers.items():
            if token not in numbers:
                aligned[to] = self._lacking(token, name=name)
        return aligned.movedim(0, axis).contiguous()

    def file_of(self, name: str) -> Path:
        """Return the file that holds the tensor."""
        return self._source.file_of(name)

    def _lacking(self, token: str, *, name: str) -> Tensor:
        """Return what the token's row is in models that lack it."""
        if self._base is not None and token in self._base[1].numbers:
            return _row(self._base, token, name=name)
        rows = [_row(model, token, name=name) for model in self._models if token in model[1].numbers]
        return torch.stack([row.double() for row in rows]).mean(0)


def align(
    models: Sequence[TensorSource], *, base: TensorSource | None, source: TokenizerSource
) -> tuple[tuple[TensorSource, ...], Tokenizer]:
    """Return the models with the rows of one tokenizer, and that tokenizer: the base's, or the union of all.

    Tokens of the union have the numbers of the base, or of the first model without one; further ones follow in the
    order of the models.

    Raises:
        MergeError: a model without tokenizer.json, or tokenizers that differ by more than added tokens.
    """
    tokenized = [(model, read_tokenizer(model.path)) for model in models]
    start = None if base is None else (base, read_tokenizer(base.path))
    first = tokenized[0][1] if start is None else start[1]
    result = first if source == "base" else _union([first, *(tokenizer for _, tokenizer in tokenized)])
    for model, tokenizer in (*tokenized, *(() if start is None else (start,))):
        _check_rows(model, tokenizer)
    return tuple(AlignedTensors(model, models=tokenized, base=start, result=result) for model in tokenized), result


def align_rows(name: str, tensor: Tensor, start: Tensor, *, own: Tokenizer, result: Tokenizer) -> Tensor:
    """Return a tensor with the rows of the result's tokens: the model's own, or those of `start` that it lacks."""
    if not is_vocabulary_tensor(name):
        return tensor
    axis, aligned = token_axis(name), start.detach().clone()
    for token, number in own.numbers.items():
        if (to := result.numbers.get(token)) is not None:
            aligned.select(axis, to).copy_(tensor.select(axis, number))
    return aligned


def write_tokenizer(tokenizer: Tokenizer, *, folder: Path) -> None:
    """Write the tokenizer, and the number of its tokens, into a merge's folder, which has the base's files."""
    write_json(folder / TOKENIZER, tokenizer.content)
    config = read_json_object(folder / CONFIG, error=MergeError)
    inner = config.get("text_config")
    where = config if "vocab_size" in config or not isinstance(inner, dict) else inner
    where["vocab_size"] = tokenizer.num_tokens
    write_json(folder / CONFIG, config)
    path = folder / TOKENIZER_CONFIG
    settings = read_json_object(path, error=MergeError) if path.exists() else {}
    if isinstance(settings.get("added_tokens_decoder"), dict):  # of older versions
        settings["added_tokens_decoder"] = {
            str(entry["id"]): {key: value for key, value in entry.items() if key != "id"}
            for entry in tokenizer.content.get("added_tokens") or ()
        }
        write_json(path, settings)
    (folder / "added_tokens.json").unlink(missing_ok=True)  # of still older ones; tokenizer.json has them


def _row(model: TokenizedModel, token: str, *, name: str) -> Tensor:
    source, tokenizer = model
    return source.tensor(name).select(token_axis(name), tokenizer.numbers[token])


def read_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer of a model's folder, or beside its file; MergeError where there is none to be read."""
    folder = model_folder(path) or (path if path.is_dir() else path.parent)
    file = folder / TOKENIZER
    content = read_json_object(
        file,
        error=MergeError,
        missing=f"{folder} holds no {TOKENIZER}: vocabularies are aligned by it; load and save "
        "the tokenizer by Transformers (AutoTokenizer)",
    )
    model = content.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    entries = content.get("added_tokens") or ()
    numbers = _numbers(vocab, entries)
    if numbers is None:
        raise MergeError(f"{file} is not a tokenizer: expected `model` with its `vocab`; copy the tokenizer again")
    return Tokenizer(file, content, numbers)


def _numbers(vocab: Any, entries: Any) -> dict[str, int] | None:
    """Return the numbers of a vocabulary's tokens, added ones included; None for what is not a vocabulary."""
    if isinstance(vocab, list) and all(isinstance(entry, list) and entry for entry in vocab):
        vocab = {str(entry[0]): number for number, entry in enumerate(vocab)}
    if not isinstance(vocab, dict) or not isinstance(entries, list | tuple):
        return None
    if not all(isinstance(entry, dict) and isinstance(entry.get("content"), str) for entry in entries):
        return None
    numbers = vocab | {entry["content"]: entry.get("id") for entry in entries}
    return numbers if all(type(number) is int and number >= 0 for number in numbers.values()) else None


def _union(tokenizers: Sequence[Tokenizer]) -> Tokenizer:
    first = tokenizers[0]
    numbers, added = dict(first.numbers), list(first.content.get("added_tokens") or ())
    for other in tokenizers[1:]:
        if _vocabulary(other) != _vocabulary(first):
            raise MergeError(
                f"{other.path} and {first.path} differ by more than added tokens: a union of such vocabularies would "
                "split no text as its models do; set tokenizer_source: base, or merge models of one tokenizer"
            )
        for token, entry in sorted(other.added.items(), key=lambda item: item[1]["id"]):
            if token not in numbers:
                numbers[token] = 1 + max(numbers.values(), default=-1)
                added.append({**entry, "id": numbers[token]})
    return Tokenizer(first.path, {**first.content, "added_tokens": added}, numbers)


def _vocabulary(tokenizer: Tokenizer) -> Any:
    model = tokenizer.content["model"]
    merges = [" ".join(map(str, pair)) if isinstance(pair, list) else pair for pair in model.get("merges") or ()]
    return model["vocab"], merges


def _check_rows(model: TensorSource, tokenizer: Tokenizer) -> None:
    if not has_token_embeddings(model):
        raise MergeError(
            f"{model.path}: none of its tensors is known as the embeddings of tokens, whose rows would move: merge "
            "models of one vocabulary, without tokenizer_source"
        )
    for name in sorted(filter(is_vocabulary_tensor, model.names)):
        rows = model.spec(name).shape[token_axis(name)]
        if rows < tokenizer.num_tokens:
            raise MergeError(
                f"{model.path}: '{name}' has {rows} rows, its tokenizer {tokenizer.num_tokens} tokens: take the "
                "tokenizer that the model was trained with"
            )
