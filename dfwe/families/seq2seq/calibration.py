"""Training examples of text-to-text models, as collectors of statistics read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dfwe.families.seq2seq.inference.labels import candidate_log_likelihoods
from dfwe.families.seq2seq.inference.trie import PackedTries
from dfwe.families.seq2seq.tokenization import TokenisedSplit
from dfwe.families.statistics.base import CalibrationExample, draw_places


@dataclass(frozen=True, eq=False)
class TextExample(CalibrationExample):
    """A source text and its gold answer."""

    source: Int[Tensor, "1 source"]
    target: Int[Tensor, "1 target"]  # the first of the gold answers, its end token included
    candidates: tuple[tuple[int, ...], ...]  # the closed set, each with its end token; empty for free text
    max_new_tokens: int  # of a text drawn from the model
    is_closed: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_closed", bool(self.candidates))

    def to(self, device: torch.device) -> TextExample:
        """Return the same on that device."""
        return TextExample(self.source.to(device), self.target.to(device), self.candidates, self.max_new_tokens)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """Inputs of the model."""
        return {"input_ids": self.source, "attention_mask": torch.ones_like(self.source)}

    def read(self, model: Any) -> None:
        """Run the encoder on the source, the decoder on the gold answer."""
        model(**self.inputs, labels=self.target)

    def loss(self, model: Any) -> Float[Tensor, ""]:
        """Return the mean over the gold answer's tokens of -log p(token)."""
        loss: Tensor = model(**self.inputs, labels=self.target).loss
        return loss

    def gold_log_likelihood(self, model: Any) -> Float[Tensor, ""]:
        """Return the sum over the gold answer's tokens of log p(token)."""
        return log_likelihood(model, self, target=self.target)

    @property
    def gold_place(self) -> int | None:
        """Place of the gold answer in the closed set."""
        gold = tuple(self.target[0].tolist())
        return self.candidates.index(gold) if gold in self.candidates else None

    def closed_log_likelihoods(self, model: Any) -> Float[Tensor, " answers"]:
        """Return the log-likelihoods of the closed set, normalised over it."""
        tries = PackedTries.of([self.candidates]).to(self.source.device)
        source: dict[str, Any] = self.inputs
        return candidate_log_likelihoods(model, tries=tries, **source).log_softmax(0)

    def drawn_log_likelihoods(self, model: Any, *, samples: int, seed: int) -> Iterator[Float[Tensor, ""]]:
        """Yield log p of texts that end after `max_new_tokens` at the latest."""
        for text in drawn_texts(model, self, samples=samples, seed=seed):
            yield log_likelihood(model, self, target=text)


def draw_examples(splits: Sequence[tuple[TokenisedSplit, int]], *, examples: int, seed: int) -> tuple[TextExample, ...]:
    """Draw so many examples of these splits together, without repetition; all, if there are no more.

    Each split comes with how many tokens its answers have at most.
    """
    places = draw_places([len(split) for split, _ in splits], examples=examples, seed=seed)
    return tuple(_example(splits[place][0], row, splits[place][1]) for place, row in places)


def log_likelihood(model: Any, example: TextExample, *, target: Int[Tensor, "1 target"]) -> Float[Tensor, ""]:
    """Return log p(target | source), summed over the target's tokens."""
    mean: Tensor = model(**example.inputs, labels=target).loss
    return -mean * target.shape[1]


def drawn_texts(model: Any, example: TextExample, *, samples: int, seed: int) -> list[Int[Tensor, "1 target"]]:
    """Draw texts from the model, each up to its end token; torch's global state is left as it was."""
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        ids: Tensor = model.generate(
            input_ids=example.source.expand(samples, -1),
            attention_mask=torch.ones_like(example.source).expand(samples, -1),
            do_sample=True,
            num_beams=1,
            top_k=0,
            max_new_tokens=example.max_new_tokens,
        )
    end = torch.tensor(model.generation_config.eos_token_id, device=ids.device).reshape(-1)
    return [_until_end(row, end) for row in ids[:, 1:]]  # without the start token


def _until_end(row: Int[Tensor, " tokens"], end: Int[Tensor, " ends"]) -> Int[Tensor, "1 target"]:
    ends = torch.isin(row, end).nonzero()
    return row[None, : int(ends[0]) + 1] if len(ends) else row[None]


def _example(split: TokenisedSplit, row: int, max_new_tokens: int) -> TextExample:
    (source,), (targets,), (candidates,) = (split.tokens[[row]][name] for name in ("source", "targets", "candidates"))
    closed = tuple(tuple(candidate) for candidate in candidates)
    return TextExample(torch.tensor([source]), torch.tensor([targets[0]]), closed, max_new_tokens)
