"""Gram matrices of the inputs of a model's linear layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from dfwe.errors import ConfigurationError
from dfwe.families.statistics.base import CalibrationExample, ExpertCollector, Questions, Tell, in_evaluation
from dfwe.values.allowed import Count


@dataclass(frozen=True)
class Gram(ExpertCollector):
    """G = X^T X / tokens for the inputs X [tokens, in] of each linear layer, the gold answer before the decoder.

    A layer whose weight is tied has none: it is an embedding, too. Nor has a layer that answers do not pass.
    """

    examples: Count

    def measure(self, model: Any, questions: Questions, *, seed: int, tell: Tell) -> dict[str, Tensor]:
        """Return the matrices by the names of the layers' weights; nothing is random."""
        with in_evaluation(model), summing_inputs(linear_layers(model).items()) as sums:
            for number, question in enumerate(questions, start=1):
                read(model, question)
                tell(number / len(questions))
        return sums.means()


@dataclass
class Sums:
    """Sums of outer products by the names of weights, and of how many tokens."""

    products: dict[str, Tensor] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)

    def take(self, name: str, inputs: Tensor) -> None:
        """Add the inputs [..., in] of one forward pass."""
        rows = inputs.detach().reshape(-1, inputs.shape[-1]).float()
        product = rows.T @ rows
        self.products[name] = self.products[name].add_(product) if name in self.products else product
        self.tokens[name] = self.tokens.get(name, 0) + len(rows)

    def means(self) -> dict[str, Tensor]:
        """Return the Gram matrices, divided by the number of tokens."""
        return {name: product / self.tokens[name] for name, product in self.products.items()}


def read(model: Any, question: CalibrationExample) -> None:
    """Run one forward pass over the question and its gold answer."""
    with torch.no_grad():
        question.to(next(model.parameters()).device).read(model)


def linear_layers(model: nn.Module) -> dict[str, nn.Linear]:
    """Return the model's linear layers by the names of their weights, without those that share their weight.

    Raises:
        ConfigurationError: layers that keep their weights transposed, as those of GPT-2 do.
    """
    if any(isinstance(module, Conv1D) for module in model.modules()):
        raise ConfigurationError(
            "RegMean needs linear layers, and this model keeps their weights transposed (Conv1D, as GPT-2): choose "
            "another merge method, such as merge=fisher"
        )
    owners: dict[int, int] = {}
    for _, parameter in model.named_parameters(remove_duplicate=False):
        owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    modules = [(f"{name}.weight", module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return {name: module for name, module in modules if owners[id(module.weight)] == 1}


@contextmanager
def summing_inputs(layers: Iterable[tuple[str, nn.Module]]) -> Iterator[Sums]:
    """Add every pass through these layers to the sums."""
    sums = Sums()
    with ExitStack() as stack:
        for name, layer in layers:
            hook: Callable[..., None] = partial(_take, sums, name)
            stack.callback(layer.register_forward_pre_hook(hook).remove)
        yield sums


def _take(sums: Sums, name: str, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    sums.take(name, inputs[0])
