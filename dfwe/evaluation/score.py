"""A model's answers on one split, and their score: one object for early stopping, search and the final test."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dfwe.data.batching import token_batches
from dfwe.data.datamodule import pad
from dfwe.data.tokenise import TokenisedSplit
from dfwe.errors import ConfigurationError
from dfwe.evaluation.encoder import Encode, encode
from dfwe.evaluation.generate import ReferenceDecoding, greedy, reference
from dfwe.evaluation.half import HalfCopy
from dfwe.evaluation.kernels import fast_kernels
from dfwe.evaluation.labels import best_candidates, candidate_log_likelihoods
from dfwe.evaluation.trie import PackedTries
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation

log = logging.getLogger(__name__)

Decode = Literal["labels", "candidates", "greedy", "reference"]


@dataclass(frozen=True)
class Decoding:
    """How answers are found.

    `labels` and `candidates` take the most likely of the instance's closed set, `greedy` writes free text, `reference`
    samples as the benchmark's code does, by the numbers of `reference`. `max_tokens` bounds a batch, padding included.
    With `bf16` a copy of the model answers whose weights are bfloat16.
    """

    decode: Decode
    max_new_tokens: int
    max_tokens: int
    bf16: bool
    seed: int = 0
    reference: ReferenceDecoding | None = None


@dataclass(frozen=True)
class _Batch:
    """Instances that are answered together."""

    members: tuple[int, ...]  # of the split
    inputs: Mapping[str, Tensor]
    tries: PackedTries | None  # of closed sets of answers


class SplitScorer:
    """Scores models on one split; its batches are built once and kept in memory.

    A batch that the memory has no room for is halved, once and for all.
    """

    def __init__(
        self,
        split: TokenisedSplit,
        *,
        scorer: Scorer,
        decoding: Decoding,
        tokenizer: Any,
        half: HalfCopy | None = None,
    ) -> None:
        self._half = half or HalfCopy()
        self._split, self._scorer, self._decoding, self._tokenizer = split, scorer, decoding, tokenizer
        self._closed = decoding.decode in ("labels", "candidates")
        if self._closed and not all(instance.candidates for instance in split.instances):
            raise ConfigurationError(f"decode={decoding.decode} needs a closed set of answers; use decode=greedy")
        groups = token_batches(list(split.tokens["length"]), max_tokens=decoding.max_tokens)
        self._batches = [self._batch(tuple(members)) for members in groups]

    @property
    def scorer(self) -> Scorer:
        """The task's metrics."""
        return self._scorer

    def __len__(self) -> int:
        return len(self._split)

    def __call__(self, model: nn.Module, *, exact: bool = False, encode: Encode = encode) -> Evaluation:
        """The model's evaluation, in float32 whatever the decoding says if `exact`; its mode is left as it was."""
        return self.evaluate(self.predict(model, exact=exact, encode=encode))

    def evaluate(self, predictions: tuple[str, ...]) -> Evaluation:
        """The evaluation of given answers, one an instance and in order."""
        references = [instance.references for instance in self._split.instances]
        return self._scorer.evaluate(predictions, references=references)

    def predict(self, model: nn.Module, *, exact: bool = False, encode: Encode = encode) -> tuple[str, ...]:
        """The model's answers in the order of the instances, its source read by `encode`."""
        answers = [""] * len(self._split)
        todo, done = self._batches[::-1], []
        used = self._half.of(model) if self._decoding.bf16 and not exact else model
        with _evaluating(used) as device, fast_kernels(used):
            while todo:
                batch = todo.pop()
                found = self._answers(used, batch, device=device, encode=encode)
                if found is None:
                    half = len(batch.members) // 2
                    log.warning("no memory for %d instances at once, going on with halves", len(batch.members))
                    todo += [self._batch(batch.members[half:]), self._batch(batch.members[:half])]
                    continue
                done.append(batch)
                for index, answer in zip(batch.members, found, strict=True):
                    answers[index] = answer
        self._batches = done
        return tuple(answers)

    def _answers(self, model: nn.Module, batch: _Batch, *, device: torch.device, encode: Encode) -> list[str] | None:
        """The batch's answers; None where it does not fit the memory and can be halved."""
        try:
            inputs = {name: tensor.to(device) for name, tensor in batch.inputs.items()}
            answer = self._chosen if batch.tries else self._written
            return answer(model, batch, inputs, encode)
        except RuntimeError as error:
            if not _is_out_of_memory(error) or len(batch.members) == 1:
                raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _chosen(self, model: nn.Module, batch: _Batch, inputs: Mapping[str, Tensor], encode: Encode) -> list[str]:
        assert batch.tries is not None
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        tries = batch.tries.to(ids.device)
        scores = candidate_log_likelihoods(model, input_ids=ids, attention_mask=mask, tries=tries, encode=encode)
        sets = [self._split.instances[i].candidates for i in batch.members]
        best = best_candidates(scores, sizes=[len(each) for each in sets])
        return [each[place] for each, place in zip(sets, best, strict=True)]

    def _written(self, model: nn.Module, batch: _Batch, inputs: Mapping[str, Tensor], encode: Encode) -> list[str]:
        if self._decoding.decode == "reference":
            assert self._decoding.reference is not None
            seed = self._decoding.seed + batch.members[0]
            ids = reference(model, **inputs, decoding=self._decoding.reference, seed=seed)
        else:
            ids = greedy(
                model,
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=self._decoding.max_new_tokens,
                encode=encode,
            )
        texts: list[str] = self._tokenizer.batch_decode(ids, skip_special_tokens=True)
        return texts

    def _batch(self, members: tuple[int, ...]) -> _Batch:
        rows = self._split.tokens[list(members)]
        inputs = {
            "input_ids": pad(rows["source"], value=self._tokenizer.pad_token_id),
            "attention_mask": pad([[1] * len(row) for row in rows["source"]], value=0),
        }
        return _Batch(members, inputs, PackedTries.of(rows["candidates"]) if self._closed else None)


def _is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA has an exception of its own; the CPU's allocator says it in its message."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[torch.device]:
    training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        # Lightning validates under its own autocast: here the weights alone say how numbers are kept
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            yield device
    finally:
        model.train(training)
