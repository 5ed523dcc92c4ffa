"""The diagonal of the Fisher information of a model with heads, over several tasks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import ConfigurationError, DataError
from dfwe.families.encoder.data import SentenceSplit, sentence_batch
from dfwe.families.multi_head.squared_gradients import add_squares, add_squares_one_by_one, is_known
from dfwe.families.statistics.base import Collector, Reads, Tell, in_evaluation
from dfwe.values.allowed import Count, NonNegative, Positive

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeadFisher(Collector):
    """F_p = sum_t w_t 1/N sum_x E_{y ~ p_t(y|x)} (d log p_t(y|x) / d theta_p)^2, t a task: Cuts and Stitches, eq. 1.

    Figure 3 adds the tasks up; `weights` are by task, 1 for those not named. N is `examples`, or what the task has. The
    expectation over labels is exact. A number is the mean of a Gaussian of deviation `sigma`, of which `samples` values
    are drawn an example. Every model sees the same examples and draws: what differs between models is the models.

    `batch_size` examples of like length are read at once; it changes results by rounding, and by which example has
    which draw.
    """

    reads: ClassVar[Reads] = "splits"
    examples: Count
    weights: Mapping[str, NonNegative]
    sigma: Positive
    samples: Count
    batch_size: Count

    def collect(
        self, models: Sequence[Any], *, questions: Sequence[Sequence[Any]], seed: int, tell: Tell = lambda share: None
    ) -> list[dict[str, Tensor]]:
        """Return each model's Fisher values, at least 0, on examples of its SentenceSplits.

        Raises:
            ConfigurationError: a weight of a task that is not among the splits.
            ModelError: a model has no head for one of the tasks.
        """
        tasks = dict.fromkeys(split.task for splits in questions for split in splits)
        if unknown := set(self.weights) - tasks.keys():
            raise ConfigurationError(
                f"merge.statistics.weights names {', '.join(unknown)}: the tasks are {', '.join(tasks)}"
            )
        samples = [
            [_Sample.of(split, examples=self.examples, size=self.batch_size, seed=seed) for split in splits]
            for splits in questions
        ]
        steps, done = sum(len(sample.batches) for of_model in samples for sample in of_model), 0
        totals = [{name: torch.zeros_like(value) for name, value in model.named_parameters()} for model in models]
        for model, sums, of_model in zip(models, totals, samples, strict=True):
            for sample in of_model:
                for _ in self._added(model, sample, sums=sums):
                    done += 1
                    tell(done / steps)
        return totals

    def _added(self, model: Any, sample: _Sample, *, sums: Mapping[str, Tensor]) -> Iterator[None]:
        """Add the task's share to the sums, batch by batch."""
        task, generator = sample.split.task, torch.Generator().manual_seed(sample.seed)
        share = (self.weights.get(task, 1.0) / sample.num_examples) ** 0.5
        head = model.head(task)
        with in_evaluation(model) as device, torch.enable_grad():

            def vectors_of(outputs: Float[Tensor, "examples outputs"]) -> Float[Tensor, "vectors examples outputs"]:
                settings = {"sigma": self.sigma, "samples": self.samples, "generator": generator}
                factors: Tensor = head.fisher_factors(outputs, **settings)
                return factors.mul_(share)

            add = add_squares if _is_known(model, sample, device=device) else add_squares_one_by_one
            for members in sample.batches:
                batch = sentence_batch(sample.split, members, device=device)
                add(model, batch, vectors_of=vectors_of, sums=sums)
                yield


@dataclass(frozen=True)
class _Sample:
    """Examples of a task, in batches of like length, and the seed of what is drawn for them."""

    split: SentenceSplit
    batches: tuple[tuple[int, ...], ...]
    seed: int

    @classmethod
    def of(cls, split: SentenceSplit, *, examples: int, size: int, seed: int) -> _Sample:
        """Draw so many of the split, without repetition; all, if there are no more. Other tasks make no difference."""
        if not len(split):
            raise DataError(f"{split.task}: a Fisher matrix needs examples, and its train split has none")
        generator = np.random.default_rng([seed, *split.task.encode()])
        places = generator.permutation(len(split))[:examples].tolist()
        order = sorted(places, key=lambda index: (split.lengths[index], index))
        batches = tuple(tuple(order[start : start + size]) for start in range(0, len(order), size))
        return cls(split, batches, int(generator.integers(2**31)))

    @property
    def num_examples(self) -> int:
        return sum(map(len, self.batches))


def _is_known(model: Any, sample: _Sample, *, device: torch.device) -> bool:
    """Report whether the model's layers are all of a kind that can be squared in batches."""
    shortest = sample.batches[0][0]
    members = [shortest] * (sample.split.lengths[shortest] + 1)
    is_batchable = is_known(model, sentence_batch(sample.split, members, device=device))
    if not is_batchable:
        log.warning(
            "%s: the model has layers other than linear ones, layer norms and embeddings, or uses one more than once: "
            "its Fisher values are found example by example, which takes long",
            sample.split.task,
        )
    return is_batchable
