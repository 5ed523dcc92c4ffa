"""The mean gradient of a model's loss: which way training on these examples would go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import ConfigurationError
from dfwe.families.statistics.base import CalibrationExample, Collector, Tell, in_evaluation
from dfwe.values.allowed import Count, OneOf

ANSWERS = ("text", "set")


@dataclass(frozen=True)
class MeanGradient(Collector):
    """g_p = 1/N sum_x d loss(x) / d theta_p, of the gold answer of each training example x.

    With `answers=text` the loss is the training's: the mean over the answer's tokens of -log p(token). With
    `answers=set` it is -log p(answer | one of the closed set), to which it does not matter that the model must first
    learn to say any answer of the set at all; that of the text where there is no set, or the gold answer is none of it.
    """

    examples: Count
    answers: Annotated[str, OneOf(*ANSWERS)]

    def __post_init__(self) -> None:
        if self.examples < 1:
            raise ConfigurationError(f"a mean gradient needs at least 1 of a task's examples, not {self.examples}")
        if self.answers not in ANSWERS:
            raise ConfigurationError(f"answers of a mean gradient must be text or set, not '{self.answers}'")

    @property
    def together(self) -> bool:
        """A model's gradient is its own."""
        return False

    def collect(
        self, models: Sequence[Any], *, questions: Sequence[Sequence[CalibrationExample]], seed: int, tell: Tell
    ) -> list[dict[str, Tensor]]:
        """See Collector; nothing is drawn beside the questions."""
        return [
            mean_gradient(model, own, answers=self.answers, tell=tell)
            for model, own in zip(models, questions, strict=True)
        ]


def mean_gradient(
    model: Any, questions: Sequence[CalibrationExample], *, answers: str, tell: Tell = lambda share: None
) -> dict[str, Tensor]:
    """The mean gradient by the names of the model's unique parameters; see MeanGradient."""
    parameters = dict(model.named_parameters())
    total = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
    with in_evaluation(model) as device, torch.enable_grad():
        for number, question in enumerate(questions, start=1):
            value = loss(model, question.to(device), answers=answers)
            gradients = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
            for summed, gradient in zip(total.values(), gradients, strict=True):
                if gradient is not None:
                    summed.add_(gradient, alpha=1 / len(questions))
            tell(number / len(questions))
    return {name: summed.detach() for name, summed in total.items()}


def loss(model: Any, example: CalibrationExample, *, answers: str) -> Float[Tensor, ""]:
    """Return the loss of the gold answer; see MeanGradient."""
    place = example.gold_place
    if answers == "text" or place is None:
        return example.loss(model)
    return -example.closed_log_likelihoods(model)[place]
