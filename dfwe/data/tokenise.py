"""Instances as token ids, cached on disk and memory-mapped by `datasets`."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import datasets
from transformers import PreTrainedTokenizerBase

from dfwe.errors import DataError
from dfwe.records import Instance

Truncation = Literal["context", "reference"]


@dataclass(frozen=True)
class TokenLimits:
    """How long inputs and targets may be, in tokens, and what gives way.

    `context` drops the oldest tokens of the context, so that the prompt always survives; `reference` cuts on the right
    as the benchmark's code does, which loses the prompt of an over-long input.
    """

    max_source_tokens: int
    max_target_tokens: int
    truncation: Truncation = "context"


@dataclass(frozen=True)
class TokenisedSplit:
    """Instances of one split and their tokens.

    Columns of `tokens`: `source` (ids), `targets` (a list of ids per alternative), `candidates` (a list of ids per
    answer of the closed set, empty for free text), `length` (of the source).
    """

    instances: tuple[Instance, ...]
    tokens: Any

    def __len__(self) -> int:
        return len(self.instances)


def tokenise(
    instances: Sequence[Instance], *, tokenizer: PreTrainedTokenizerBase, limits: TokenLimits, cache: Path
) -> TokenisedSplit:
    """The instances' tokens, from the cache where the same texts met the same tokenizer and limits before."""
    folder = cache / _key(instances, tokenizer=tokenizer, limits=limits)
    if not folder.exists():
        columns = _columns(instances, tokenizer=tokenizer, limits=limits)
        temporary = folder.with_name(folder.name + ".tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        datasets.disable_progress_bars()
        datasets.Dataset.from_dict(columns).save_to_disk(temporary)
        temporary.replace(folder) if not folder.exists() else shutil.rmtree(temporary)
    return TokenisedSplit(tuple(instances), datasets.load_from_disk(str(folder)))


def source_ids(instance: Instance, *, tokenizer: PreTrainedTokenizerBase, limits: TokenLimits) -> list[int]:
    """The source text's ids within the limit; see `TokenLimits` for what is cut.

    Raises:
        DataError: the prompt alone is longer than the limit.
    """
    if limits.truncation == "reference":
        cut: list[int] = tokenizer(instance.source, truncation=True, max_length=limits.max_source_tokens)["input_ids"]
        return cut
    encoded = tokenizer(instance.source, return_offsets_mapping=True, return_special_tokens_mask=True)
    ids: list[int] = encoded["input_ids"]
    excess = len(ids) - limits.max_source_tokens
    if excess <= 0:
        return ids
    special, offsets = encoded["special_tokens_mask"], encoded["offset_mapping"]
    droppable = [i for i, (start, _) in enumerate(offsets) if not special[i] and start < len(instance.context)]
    if excess > len(droppable):
        raise DataError(
            f"{instance.instance_id}: its prompt alone has {len(ids) - len(droppable)} tokens, more than "
            f"model.max_source_tokens={limits.max_source_tokens}; raise that"
        )
    dropped = set(droppable[:excess])
    return [token for i, token in enumerate(ids) if i not in dropped]


def _columns(
    instances: Sequence[Instance], *, tokenizer: PreTrainedTokenizerBase, limits: TokenLimits
) -> dict[str, list[Any]]:
    answers = _AnswerIds(tokenizer, limits.max_target_tokens)
    sources = [source_ids(instance, tokenizer=tokenizer, limits=limits) for instance in instances]
    return {
        "source": sources,
        "targets": [answers.of(instance.targets) for instance in instances],
        "candidates": [answers.of(instance.candidates) for instance in instances],
        "length": [len(ids) for ids in sources],
    }


class _AnswerIds:
    """Ids of short answers, each tokenised once: closed sets repeat in every instance."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, limit: int) -> None:
        self._tokenizer, self._limit = tokenizer, limit
        self._known: dict[str, list[int]] = {}

    def of(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = _target_ids(text, tokenizer=self._tokenizer, limit=self._limit)
        return self._known[text]


def _target_ids(text: str, *, tokenizer: PreTrainedTokenizerBase, limit: int) -> list[int]:
    """Ids of an answer, closed by the end token and without a start token (the decoder brings its own)."""
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    ids: list[int] = tokenizer(text_target=text, add_special_tokens=False)["input_ids"]
    return [*ids[: limit - 1], end]


def _key(instances: Sequence[Instance], *, tokenizer: PreTrainedTokenizerBase, limits: TokenLimits) -> str:
    digest = hashlib.sha256(json.dumps(asdict(limits)).encode())
    digest.update(tokenizer.backend_tokenizer.to_str().encode())
    for instance in instances:
        digest.update(json.dumps(vars(instance)).encode())
    return f"tokens-{digest.hexdigest()[:16]}"
