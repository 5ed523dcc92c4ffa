"""The mean gradient of a model's loss: which way training on these examples would go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
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
class MeanGradient(ExpertCollector):
    """g_p = 1/N sum_x d loss(x) / d theta_p, of the gold answer of each training example x.

    With `answers=text` the loss is the training's: the mean over the answer's tokens of -log p(token). With
    `answers=set` it is -log p(answer | one of the closed set), to which it does not matter that the model must first
    learn to say any answer of the set at all; that of the text where there is no set, or the gold answer is none of it.
    """

    examples: Count
    answers: Annotated[str, OneOf("text", "set")]

    def measure(self, model: Any, questions: Questions, *, seed: int, tell: Tell) -> dict[str, Tensor]:
        """Return the gradient; nothing is drawn beside the questions."""
        parameters = dict(model.named_parameters())
        total = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
        with in_evaluation(model) as device, torch.enable_grad():
            for number, question in enumerate(questions, start=1):
                value = loss(model, question.to(device), answers=self.answers)
                add_gradients(total, value, parameters=parameters, weight=1 / len(questions), power=1, last=True)
                tell(number / len(questions))
        return {name: summed.detach() for name, summed in total.items()}


def loss(model: Any, example: CalibrationExample, *, answers: str) -> Float[Tensor, ""]:
    """Return the loss of the gold answer; see MeanGradient."""
    place = example.gold_place
    if answers == "text" or place is None:
        return example.loss(model)
    return -example.closed_log_likelihoods(model)[place]
