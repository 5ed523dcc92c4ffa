"""Settings of answering: from closed sets, greedily, or as the benchmark's code does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import GenerationConfig

from dfwe.errors import ConfigurationError

log = logging.getLogger(__name__)

Decode = Literal["labels", "candidates", "greedy", "reference"]

_UNUSED = {  # settings of `generate` that change greedy texts, and their values that change none
    **dict.fromkeys(("repetition_penalty", "encoder_repetition_penalty"), 1.0),
    **dict.fromkeys(("no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "min_length", "min_new_tokens"), 0),
    **dict.fromkeys(("bad_words_ids", "sequence_bias", "forced_bos_token_id"), None),
    **dict.fromkeys(("suppress_tokens", "begin_suppress_tokens"), None),
}
_COMPACT = 0.75  # of the rows at most still going: then the finished ones leave the batch and its cache


@dataclass(frozen=True)
class ReferenceDecoding:
    """How the benchmark's code answers; its numbers, which published scores used, stand in conf/config.yaml.

    `max_length` counts the start token. Sampling makes a score random: `seed` is the stream's.

    Raises:
        ConfigurationError: a number that `generate` cannot take.
    """

    do_sample: bool
    num_beams: int
    repetition_penalty: float
    max_length: int
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("num_beams", 1), ("max_length", 2)):
            if getattr(self, name) < least:
                raise ConfigurationError(
                    f"decoding.reference.{name} must be at least {least}, not {getattr(self, name)}"
                )
        if not self.repetition_penalty > 0:
            raise ConfigurationError(
                f"decoding.reference.repetition_penalty must be above 0, not {self.repetition_penalty}"
            )


@dataclass(frozen=True)
class Decoding:
    """How answers are found.

    `labels` and `candidates` take the most likely of the instance's closed set, `greedy` writes free text, `reference`
    samples as the benchmark's code does, by the numbers of `reference`. `max_tokens` bounds what is read at once,
    padding included, and `text_tokens` the batch that texts are written for. With `length_normalized` an answer of a
    closed set scores the mean log-likelihood of its tokens, else the sum.
    """

    decode: Decode
    max_new_tokens: int
    max_tokens: int
    text_tokens: int
    seed: int = 0
    reference: ReferenceDecoding | None = None
    length_normalized: bool = False


def end_ids(model: Any, *, device: torch.device) -> Int[Tensor, " ends"]:
    """Return the ids after which the model writes no more."""
    ids = model.generation_config.eos_token_id
    return torch.tensor([] if ids is None else ids, dtype=torch.int64, device=device).reshape(-1)


class GreedyRows:
    """Texts of a batch that are written token by token; those that have ended leave the batch now and then."""

    def __init__(self, num_rows: int, *, max_new_tokens: int, pad_id: int, ends: Int[Tensor, " ends"]) -> None:
        self.written = torch.full((num_rows, max_new_tokens), pad_id, device=ends.device)
        self._ends = ends
        self._rows = torch.arange(num_rows, device=ends.device)  # of `written`, for each row of the batch
        self._going = torch.ones_like(self._rows, dtype=torch.bool)

    def add(self, tokens: Int[Tensor, "batch 1"], *, step: int) -> bool:
        """Write a token of each row that goes on; return whether one still does."""
        self.written[self._rows[self._going], step] = tokens[self._going, 0]
        self._going = self._going & ~torch.isin(tokens[:, 0], self._ends)
        return bool(self._going.any())

    def compact(self, cache: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the batch's tensors; rows that have ended leave them and the cache once they are a quarter."""
        if int(self._going.sum()) > _COMPACT * len(self._going):
            return tensors
        alive = self._going.nonzero()[:, 0]
        cache.reorder_cache(alive)  # which layers with a recurrent state have, too
        self._rows, self._going = self._rows[alive], self._going[alive]
        return tuple(tensor[alive] for tensor in tensors)


def end_token(tokenizer: Any) -> Any:
    """Return the id that closes an answer in training."""
    return tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id


@contextmanager
def also_ending_at(model: Any, end_id: int | None) -> Iterator[None]:
    """Let the model's texts end after this token, too: a tokenizer may have another end than the model's settings."""
    config, before = model.generation_config, model.generation_config.eos_token_id
    ends = end_ids(model, device=torch.device("cpu")).tolist()
    if end_id is not None and end_id not in ends:
        config.eos_token_id = [*ends, end_id]
    try:
        yield
    finally:
        config.eos_token_id = before


def warn_of_unused(model: Any) -> None:
    """Warn of settings in the model's generation_config.json that change `generate`'s greedy texts, and not dfwe's."""
    values = {name: getattr(model.generation_config, name, None) for name in _UNUSED}
    if unused := [f"{name}={value}" for name, value in values.items() if value not in (None, _UNUSED[name])]:
        log.warning(
            "texts are written without %s of the model's generation_config.json: `generate` writes others with it",
            ", ".join(unused),
        )


@contextmanager
def plain_generation(model: Any) -> Iterator[None]:
    """Let `generate` draw from the model's own distribution: without its temperature, top_p, penalties and so on."""
    before = model.generation_config
    tokens = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
    model.generation_config = GenerationConfig(**{name: getattr(before, name) for name in tokens})
    try:
        yield
    finally:
        model.generation_config = before


def generate_as_reference(
    model: Any, *, decoding: ReferenceDecoding, seed: int, pad_id: int, **inputs: Tensor
) -> Int[Tensor, "batch target"]:
    """Return `generate`'s ids by the reference's decoding, from a stream of that seed; torch's global state stays."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        ids: Tensor = model.generate(
            **inputs,
            do_sample=decoding.do_sample,
            num_beams=decoding.num_beams,
            repetition_penalty=decoding.repetition_penalty,
            max_new_tokens=decoding.max_length - 1,  # which counts an encoder-decoder's start token
            pad_token_id=pad_id,
        )
    return ids
