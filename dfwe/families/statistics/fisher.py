"""The diagonal of a model's Fisher information, example by example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from dfwe.families.statistics.base import (
    CalibrationExample,
    ExpertCollector,
    Questions,
    Tell,
    add_gradients,
    in_evaluation,
)
from dfwe.values.allowed import Count, OneOf


@dataclass(frozen=True)
class DiagonalFisher(ExpertCollector):
    """F_p = 1/N sum_x E_{y ~ p(y|x)} (d log p(y|x) / d theta_p)^2, one gradient an example and answer.

    With `answers=expected` the expectation is exact over a closed set of answers, p normalised over the set; with
    `answers=sampled` it is the mean of `samples` answers drawn from p, which takes fewer gradients where the set is
    large. Free text is always drawn; it ends after the task's `max_new_tokens` at the latest. `answers=gold` takes the
    training answer alone, its tokens' likelihood: the empirical Fisher.
    """

    examples: Count
    answers: Annotated[str, OneOf("expected", "sampled", "gold")]
    samples: Count

    def measure(self, model: Any, questions: Questions, *, seed: int, tell: Tell) -> dict[str, Tensor]:
        """Return the diagonal, values of at least 0."""
        parameters = dict(model.named_parameters())
        total = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
        seeds = np.random.default_rng(seed).integers(2**31, size=len(questions)).tolist()
        with in_evaluation(model) as device, torch.enable_grad():
            for number, (question, own_seed) in enumerate(zip(questions, seeds, strict=True), start=1):
                for weight, likelihood, last in self._weighted(model, question.to(device), seed=own_seed):
                    share = weight / len(questions)
                    add_gradients(total, likelihood, parameters=parameters, weight=share, power=2, last=last)
                tell(number / len(questions))
        return {name: squares.detach() for name, squares in total.items()}

    def _weighted(self, model: Any, example: CalibrationExample, *, seed: int) -> Iterator[tuple[float, Tensor, bool]]:
        """Yield weights and log-likelihoods of the answers, and whether nothing of its graph is needed after."""
        if self.answers == "gold":
            yield 1.0, example.gold_log_likelihood(model), True
        elif example.is_closed:
            scores = example.closed_log_likelihoods(model)
            shares = scores.detach().double().softmax(0).cpu().numpy()
            if self.answers == "sampled":
                shares = np.random.default_rng(seed).multinomial(self.samples, shares) / self.samples
            places = shares.nonzero()[0].tolist()
            for place in places:
                yield float(shares[place]), scores[place], place == places[-1]
        else:
            for likelihood in example.drawn_log_likelihoods(model, samples=self.samples, seed=seed):
                yield 1.0 / self.samples, likelihood, True
