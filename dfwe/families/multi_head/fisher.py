"""The diagonal of the Fisher information of a model with heads, over several tasks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import ConfigurationError, DataError
from dfwe.families.multi_head.tokenization import SentenceSplit, sentence_batch
from dfwe.families.squared_gradients import add_squares, add_squares_one_by_one, is_known
from dfwe.families.statistics.base import Tell, check_examples, in_evaluation
from dfwe.values.allowed import Count, NonNegative, Positive

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeadFisher:
    """F_p = sum_t w_t 1/N sum_x E_{y ~ p_t(y|x)} (d log p_t(y|x) / d theta_p)^2, t a task: Cuts and Stitches, eq. 1.

    Figure 3 adds the tasks up; `weights` are by task, 1 for those not named. N is `examples`, or what the task has. The
    expectation over labels is exact. A number is the mean of a Gaussian of deviation `sigma`, of which `samples` values
    are drawn an example. Every model sees the same examples and draws: what differs between models is the models.

    `batch_size` examples of like length are read at once; it changes results by rounding, and by which example has
    which draw.
    """

    examples: Count
    weights: Mapping[str, NonNegative]
    sigma: Positive
    samples: Count
    batch_size: Count

    def __post_init__(self) -> None:
        check_examples(self.examples)
        for name, value in (("samples", self.samples), ("batch_size", self.batch_size)):
            if value < 1:
                raise ConfigurationError(f"merge.statistics.{name} must be at least 1, not {value}")
        if not self.sigma > 0:
            raise ConfigurationError(f"merge.statistics.sigma must be above 0, not {self.sigma}")
        for task, weight in self.weights.items():
            if not weight >= 0:
                raise ConfigurationError(f"merge.statistics.weights.{task} must be at least 0, not {weight}")

    @property
    def together(self) -> bool:
        """A model's Fisher values are its own."""
        return False

    def collect(
        self, models: Sequence[Any], *, splits: Sequence[SentenceSplit], seed: int, tell: Tell = lambda share: None
    ) -> list[dict[str, Tensor]]:
        """Each model's Fisher values on the same examples of the splits, by the names of its parameters; at least 0.

        `tell` takes the share that is done. Models are left as they were.

        Raises:
            ConfigurationError: a weight of a task that is not among the splits.
            ModelError: a model has no head for one of the tasks.
        """
        if unknown := set(self.weights) - {split.task for split in splits}:
            tasks = ", ".join(split.task for split in splits)
            raise ConfigurationError(f"merge.statistics.weights names {', '.join(unknown)}: the tasks are {tasks}")
        samples = [_Sample.of(split, examples=self.examples, size=self.batch_size, seed=seed) for split in splits]
        steps, done = len(models) * sum(len(each.batches) for each in samples), 0
        found = [{name: torch.zeros_like(each) for name, each in model.named_parameters()} for model in models]
        for model, sums in zip(models, found, strict=True):
            for sample in samples:
                for _ in self._added(model, sample, sums=sums):
                    done += 1
                    tell(done / steps)
        return found

    def _added(self, model: Any, sample: _Sample, *, sums: Mapping[str, Tensor]) -> Iterator[None]:
        """Add the task's share to the sums, batch by batch."""
        task, generator = sample.split.task, torch.Generator().manual_seed(sample.seed)
        share = (self.weights.get(task, 1.0) / sample.num_examples) ** 0.5
        head = model.head(task)
        with in_evaluation(model) as device, torch.enable_grad():

            def vectors_of(outputs: Float[Tensor, "examples outputs"]) -> Float[Tensor, "vectors examples outputs"]:
                given = {"sigma": self.sigma, "samples": self.samples, "generator": generator}
                factors: Tensor = head.fisher_factors(outputs, **given)
                return factors.mul_(share)

            add = add_squares if _is_known(model, sample, device=device) else add_squares_one_by_one
            for members in sample.batches:
                add(model, _on(device, sample, members), vectors_of=vectors_of, sums=sums)
                yield


@dataclass(frozen=True)
class _Sample:
    """Examples of a task, in batches of like length, and the seed of what is drawn for them."""

    split: SentenceSplit
    batches: tuple[tuple[int, ...], ...]
    seed: int

    @classmethod
    def of(cls, split: SentenceSplit, *, examples: int, size: int, seed: int) -> _Sample:
        """So many of the split, without repetition; all, if there are no more. Other tasks make no difference."""
        if not len(split):
            raise DataError(f"{split.task}: a Fisher matrix needs examples, and its train split has none")
        generator = np.random.default_rng([seed, *split.task.encode()])
        drawn = generator.permutation(len(split))[:examples].tolist()
        order = sorted(drawn, key=lambda index: (split.lengths[index], index))
        batches = tuple(tuple(order[start : start + size]) for start in range(0, len(order), size))
        return cls(split, batches, int(generator.integers(2**31)))

    @property
    def num_examples(self) -> int:
        return sum(map(len, self.batches))


def _is_known(model: Any, sample: _Sample, *, device: torch.device) -> bool:
    """Report whether the model's layers are all of a kind that can be squared in batches."""
    shortest = sample.batches[0][0]
    known = is_known(model, _on(device, sample, [shortest] * (sample.split.lengths[shortest] + 1)))
    if not known:
        log.warning(
            "%s: the model has layers other than linear ones, layer norms and embeddings, or uses one more than once: "
            "its Fisher values are found example by example, which takes long",
            sample.split.task,
        )
    return known


def _on(device: torch.device, sample: _Sample, members: Sequence[int]) -> dict[str, Any]:
    batch = sentence_batch(sample.split, members)
    return {name: each.to(device) if isinstance(each, Tensor) else each for name, each in batch.items()}
