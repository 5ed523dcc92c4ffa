"""Values that cross packages: frozen, without torch.

Scores and metrics are fractions in [0, 1], higher is better; only what is shown to people is multiplied by 100.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from dfwe.errors import MergeError

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
TrialKind = Literal["expert", "uniform", "search", "bagged"]


@dataclass(frozen=True)
class Instance:
    """A question to the model and its gold answer.

    `context` may be cut to fit a model, `prompt` never is; the source text is the two joined as they are. A model with
    heads reads `sentences` instead.
    """

    instance_id: str
    dialogue_id: str
    context: str
    prompt: str
    targets: tuple[str, ...]  # texts to learn; several are alternatives, none where the gold answer is unknown
    references: tuple[str, ...]  # what the metric compares with: labels, codes, or alternative spans
    candidates: tuple[str, ...] = ()  # the closed set of answers, empty for free text
    sentences: tuple[str, ...] = ()  # one or two, each read by itself; none where the question is text to text
    target_weights: tuple[float, ...] = ()  # a teacher's probability of each target, of a sum of 1; none: all alike

    @property
    def source(self) -> str:
        """Source text of the model."""
        return self.context + self.prompt


@dataclass(frozen=True, eq=False)
class ExampleRows:
    """Rows of counts together with the examples themselves, for metrics that are not functions of sums.

    It is summed, weighted (`weights @ rows`) and indexed as the array of rows is; the result keeps the examples.
    """

    numbers: Float[np.ndarray, "examples counts"]
    predictions: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    _scores: list[tuple[Any, Any]] = field(default_factory=list, repr=False)  # of resamples, which cost calls

    __array_ufunc__ = None  # so that NumPy leaves `@` to this class

    def __len__(self) -> int:
        return len(self.predictions)

    def __getitem__(self, chosen: Any) -> ExampleRows:
        places = np.arange(len(self))[chosen]
        answers = tuple(self.predictions[place] for place in places)
        return ExampleRows(self.numbers[places], answers, tuple(self.references[place] for place in places))

    def __rmatmul__(self, weights: Any) -> WeightedRows:
        return WeightedRows(((np.asarray(weights), self),))

    def sum(self, axis: Literal[0]) -> WeightedRows:
        """Return all examples, once each."""
        return np.ones(len(self)) @ self

    def scores_of(self, resamples: Any, *, compute: Callable[[], Any]) -> Any:
        """Return the scores of these resamples, computed once: several models are compared with each."""
        scores = next((scores for earlier, scores in self._scores if earlier is resamples), None)
        if scores is None:
            scores = compute()
            self._scores.append((resamples, scores))
        return scores


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """How often each example occurs, for one or (with leading axes of the weights) several samples of them."""

    parts: tuple[tuple[Float[np.ndarray, "*batch _examples"], ExampleRows], ...]

    def __add__(self, other: WeightedRows) -> WeightedRows:
        return WeightedRows(self.parts + other.parts)

    @property
    def totals(self) -> Float[np.ndarray, "*batch counts"]:
        """The summed rows."""
        return np.asarray(sum(weights @ rows.numbers for weights, rows in self.parts))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the samples."""
        return self.parts[0][0].shape[:-1]

    def samples(self) -> Iterator[tuple[list[str], list[tuple[str, ...]]]]:
        """Yield each sample's predictions and references, repeated as often as they occur."""
        for sample in np.ndindex(self.shape):
            predictions, references = [], []
            for weights, rows in self.parts:
                places = np.repeat(np.arange(len(rows)), weights[sample].astype(np.int64)).tolist()
                predictions += [rows.predictions[place] for place in places]
                references += [rows.references[place] for place in places]
            yield predictions, references


Rows = Float[np.ndarray, "examples counts"] | ExampleRows
Totals = Float[np.ndarray, "*batch counts"] | WeightedRows


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model's answers on one split of one task, and their score.

    `counts` holds one row per example such that every metric is a function of their (weighted) sum: that is what
    bootstrap and bagging resample; with a metric that is not such a function it holds the examples, too.
    `label_scores` are log-likelihoods of each example's closed set of answers, -inf
    behind the last where it has fewer than others; None for free text, and for answers read from a file.
    `clusters` names the dialogue that each example is of; none where each stands alone.

    `undefined` names the metrics that have no value for these answers (Pearson's correlation of a constant): they stand
    as 0 in `metrics` and count as 0 in `score`, so that a search can go on; `scores` is what people are told.
    """

    score: float
    metrics: Mapping[str, float]
    predictions: tuple[str, ...] = field(repr=False)  # pages of them
    counts: Rows = field(repr=False)
    label_scores: Float[np.ndarray, "examples labels"] | None = field(default=None, repr=False)
    undefined: tuple[str, ...] = ()
    clusters: tuple[str, ...] = field(default=(), repr=False)

    @property
    def scores(self) -> dict[str, Any]:
        """Score and metrics as JSON: null for undefined ones and for a score that they are part of, and their list."""
        metrics = {name: None if name in self.undefined else value for name, value in self.metrics.items()}
        if not self.undefined:
            return {"score": self.score, "metrics": metrics}
        return {"score": None, "metrics": metrics, "undefined": list(self.undefined)}


@dataclass(frozen=True, eq=False)
class PartialEvaluation:
    """Answers to a part of a split, after which the rest cannot reach the score to beat."""

    bound: float  # no score: the highest that answers to the rest could still have given
    predictions: tuple[str | None, ...]  # one an instance, None where it was not asked

    @property
    def num_answered(self) -> int:
        """Number of answered instances."""
        return sum(answer is not None for answer in self.predictions)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model answers to an instance, and how likely it found each of a closed set of answers."""

    text: str
    label_scores: Float[np.ndarray, " labels"] | None = None


@dataclass(frozen=True)
class Coefficients:
    """Coefficients of a merge by expert, so that their order cannot be confused."""

    names: tuple[str, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.values) or len(set(self.names)) != len(self.names):
            raise MergeError(f"coefficients need one value per expert: {self.names} have {self.values}")
        if not all(math.isfinite(value) for value in self.values):
            raise MergeError(
                f"coefficients must be finite numbers, not {dict(zip(self.names, self.values, strict=True))}"
            )

    @classmethod
    def uniform(cls, names: Sequence[str]) -> Coefficients:
        """Return the centre of the simplex."""
        return cls(tuple(names), (1.0 / len(names),) * len(names))

    @classmethod
    def vertex(cls, names: Sequence[str], *, of: str) -> Coefficients:
        """Return the coefficients of a single expert."""
        return cls(tuple(names), tuple(1.0 if name == of else 0.0 for name in names))

    def as_dict(self) -> dict[str, float]:
        """Return the coefficients by expert name."""
        return dict(zip(self.names, self.values, strict=True))

    def as_array(self) -> Float[np.ndarray, " experts"]:
        """Return the values in the order of `names`."""
        return np.asarray(self.values, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate of a search and its dev score."""

    number: int
    kind: TrialKind
    coefficients: Coefficients
    evaluation: Evaluation
    seconds: float = field(default=0.0)


@dataclass(frozen=True, eq=False)
class PrunedTrial:
    """A candidate whose evaluation was stopped early, as it cannot reach the best score before it.

    A type of its own, so that its bound is never taken for a score.
    """

    number: int
    kind: TrialKind
    coefficients: Coefficients
    evaluation: PartialEvaluation
    seconds: float = field(default=0.0)
