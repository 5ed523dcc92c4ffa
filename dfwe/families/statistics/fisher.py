"""The diagonal of a model's Fisher information, example by example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from dfwe.families.statistics.base import CalibrationExample, Collector, Questions, Tell, add_gradients, in_evaluation
from dfwe.values.allowed import Count, OneOf


@dataclass(frozen=True)
class DiagonalFisher(Collector):
    """F_p = 1/N sum_x E_{y ~ p(y|x)} (d log p(y|x) / d theta_p)^2, one gradient an example and answer.

    With `answers=expected` the expectation is exact over a closed set of answers, p normalised over the set; with
    `answers=sampled` it is the mean of `samples` answers drawn from p, which takes fewer gradients where the set is
    large. Free text is always drawn; it ends after the task's `max_new_tokens` at the latest. `answers=gold` takes the
    training answer alone, its tokens' likelihood: the empirical Fisher.
    """

    examples: Count
    answers: Annotated[str, OneOf("expected", "sampled", "gold")]
    samples: Count

    def collect(
        self, models: Sequence[Any], *, questions: Sequence[Questions], seed: int, tell: Tell
    ) -> list[dict[str, Tensor]]:
        """See Collector; values are at least 0."""
        return [
            diagonal_fisher(model, of_model, answers=self.answers, samples=self.samples, seed=seed, tell=tell)
            for model, of_model in zip(models, questions, strict=True)
        ]


def diagonal_fisher(
    model: Any,
    questions: Questions,
    *,
    answers: str,
    samples: int,
    seed: int,
    tell: Tell = lambda share: None,
) -> dict[str, Tensor]:
    """Return the diagonal Fisher by the names of the model's unique parameters; see DiagonalFisher."""
    parameters = dict(model.named_parameters())
    total = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    seeds = np.random.default_rng(seed).integers(2**31, size=len(questions)).tolist()
    with in_evaluation(model) as device, torch.enable_grad():
        for number, (question, own_seed) in enumerate(zip(questions, seeds, strict=True), start=1):
            here = question.to(device)
            for weight, likelihood, last in _weighted(model, here, answers=answers, samples=samples, seed=own_seed):
                share = weight / len(questions)
                add_gradients(total, likelihood, parameters=parameters, weight=share, power=2, last=last)
            tell(number / len(questions))
    return {name: squares.detach() for name, squares in total.items()}


def _weighted(
    model: Any, example: CalibrationExample, *, answers: str, samples: int, seed: int
) -> Iterator[tuple[float, Tensor, bool]]:
    """Yield weights and log-likelihoods of the answers, and whether nothing of its graph is needed after."""
    if answers == "gold":
        yield 1.0, example.gold_log_likelihood(model), True
    elif example.is_closed:
        scores = example.closed_log_likelihoods(model)
        shares = scores.detach().double().softmax(0).cpu().numpy()
        if answers == "sampled":
            shares = np.random.default_rng(seed).multinomial(samples, shares) / samples
        places = shares.nonzero()[0].tolist()
        for place in places:
            yield float(shares[place]), scores[place], place == places[-1]
    else:
        for likelihood in example.drawn_log_likelihoods(model, samples=samples, seed=seed):
            yield 1.0 / samples, likelihood, True
