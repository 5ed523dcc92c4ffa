"""Training examples of models that answer in text, as collectors of statistics read them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dfwe.families.statistics.base import CalibrationExample, draw_places
from dfwe.families.text.decoding import also_ending_at, end_ids, plain_generation
from dfwe.families.text.tokenization import TokenisedSplit


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
        return type(self)(self.source.to(device), self.target.to(device), self.candidates, self.max_new_tokens)

    @property
    def gold_place(self) -> int | None:
        """Place of the gold answer in the closed set."""
        gold = tuple(self.target[0].tolist())
        return self.candidates.index(gold) if gold in self.candidates else None

    def gold_log_likelihood(self, model: Any) -> Float[Tensor, ""]:
        """Return the sum over the gold answer's tokens of log p(token)."""
        return self.log_likelihood(model, self.target)

    def drawn_log_likelihoods(self, model: Any, *, samples: int, seed: int) -> Iterator[Float[Tensor, ""]]:
        """Yield log p of texts that end after `max_new_tokens` at the latest."""
        for text in self.drawn_texts(model, samples=samples, seed=seed):
            yield self.log_likelihood(model, text)

    @abstractmethod
    def log_likelihood(self, model: Any, target: Int[Tensor, "1 target"]) -> Float[Tensor, ""]:
        """Return log p(target | source), summed over the target's tokens."""

    @property
    @abstractmethod
    def num_before(self) -> int:
        """Number of tokens before the answer in what `generate` returns."""

    def drawn_texts(self, model: Any, *, samples: int, seed: int) -> list[Int[Tensor, "1 target"]]:
        """Draw texts from the model, each up to its end token; torch's global state is left as it was."""
        with torch.no_grad(), torch.random.fork_rng(), also_ending_at(model, int(self.target[0, -1])):
            ends = end_ids(model, device=self.source.device)
            torch.manual_seed(seed)
            with plain_generation(model):
                ids: Tensor = model.generate(
                    input_ids=self.source.expand(samples, -1),
                    attention_mask=torch.ones_like(self.source).expand(samples, -1),
                    do_sample=True,
                    num_beams=1,
                    top_k=0,
                    max_new_tokens=self.max_new_tokens,
                    pad_token_id=int(ends[0]) if len(ends) else 0,  # fills up behind an end, and is cut off with it
                )
        return [_until_end(row, ends) for row in ids[:, self.num_before :]]


Example = TypeVar("Example", bound=TextExample)


def draw_examples(
    kind: type[Example], splits: Sequence[tuple[TokenisedSplit, int]], *, examples: int, seed: int
) -> tuple[Example, ...]:
    """Draw so many examples of these splits together, without repetition; all, if there are no more.

    Each split comes with how many tokens its answers have at most.
    """
    places = draw_places([len(split) for split, _ in splits], examples=examples, seed=seed)
    return tuple(_example(kind, splits[place][0], row, splits[place][1]) for place, row in places)


def _until_end(row: Int[Tensor, " tokens"], end: Int[Tensor, " ends"]) -> Int[Tensor, "1 target"]:
    """Return the row up to its first end token."""
    ends = torch.isin(row, end).nonzero()
    return row[None, : int(ends[0]) + 1] if len(ends) else row[None]


def _example(kind: type[Example], split: TokenisedSplit, row: int, max_new_tokens: int) -> Example:
    (source,), (targets,), (candidates,) = (split.tokens[[row]][name] for name in ("source", "targets", "candidates"))
    closed = tuple(tuple(candidate) for candidate in candidates)
    return kind(torch.tensor([source]), torch.tensor([targets[0]]), closed, max_new_tokens)
