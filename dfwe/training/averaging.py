"""Average a model's weights along one training: the average is what is scored, and kept, in place of the last weights.

Lightning's own `WeightAveraging` copies frozen weights, too, swaps around validation loops alone, and keeps no window.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytorch_lightning as pl
import torch
from torch import Tensor, nn


class WeightAverage(pl.Callback, ABC):
    """An average of a model's trained weights, updated along its training and kept in its checkpoints.

    The training itself is as without it. Of LoRA the factors are averaged, not their products.
    """

    @abstractmethod
    def mean(self) -> dict[str, Tensor]:
        """Return the average; once an epoch has ended."""

    @contextmanager
    def in_place_of_last(self, model: nn.Module) -> Iterator[None]:
        """Let the model have the average; then restore its last weights bit by bit."""
        last = _trained(model)
        _write(self.mean(), model=model)
        try:
            yield
        finally:
            _write(last, model=model)


def weight_average(*, epochs: int | None = None, decay: float | None = None) -> WeightAverage:
    """Return the average of the last `epochs` epochs' weights, or the exponential moving one: one of both is given."""
    if decay is not None:
        return ExponentialMovingAverage(decay)
    assert epochs is not None
    return LatestWeights(epochs)


class LatestWeights(WeightAverage):
    """The mean of the weights at the ends of the last epochs (LAWA: Kaddour 2022, arXiv:2209.14981).

    Before there are so many it is the mean of those that there are.
    """

    def __init__(self, num_epochs: int) -> None:
        self._num_epochs = num_epochs
        self._epochs: list[dict[str, Tensor]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the epoch's weights in, and leave the oldest out."""
        self._epochs = [*self._epochs, _trained(cast(nn.Module, pl_module.model))][-self._num_epochs :]

    def mean(self) -> dict[str, Tensor]:
        """Return the mean over the epochs; of a parameter that was frozen at first over those that trained it."""
        return {name: self._mean_of(name) for name in self._epochs[-1]}

    def _mean_of(self, name: str) -> Tensor:
        first, *later = [weights[name] for weights in self._epochs if name in weights]
        total = first.clone()
        for tensor in later:
            total += tensor.to(total.device)  # a checkpoint's are loaded into main memory
        return total / (1 + len(later))

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs' weights."""
        return {"epochs": self._epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._epochs = list(state_dict["epochs"])


class ExponentialMovingAverage(WeightAverage):
    """The exponential moving average of the weights after each step: mean <- d mean + (1 - d) weights.

    d is `decay`, but in step t (from 1) at most t / (9 + t), so that the first steps, far from the end, are forgotten
    soon: without that a training of 30 steps would be averaged with its start. The first step's weights begin it.
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._num_steps = 0
        self._mean: dict[str, Tensor] = {}
        self._global_step = 0  # Lightning's at the last update: several batches may make one step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Take the weights in where the batch ended a step."""
        if trainer.global_step == self._global_step:
            return
        self._global_step = trainer.global_step
        self._num_steps += 1
        decay = min(self._decay, self._num_steps / (9 + self._num_steps))
        model = cast(nn.Module, pl_module.model)
        for name, weights in _trained(model).items():  # a parameter that was frozen at first begins later
            mean = self._mean.get(name, weights).to(weights.device)  # a checkpoint's is loaded into main memory
            self._mean[name] = mean.lerp_(weights, 1 - decay)

    def mean(self) -> dict[str, Tensor]:
        """Return the average up to the last step."""
        return self._mean

    def state_dict(self) -> dict[str, Any]:
        """Return the average, and how many steps are in it."""
        return {"mean": self._mean, "num_steps": self._num_steps, "global_step": self._global_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._mean, self._num_steps = dict(state_dict["mean"]), state_dict["num_steps"]
        self._global_step = state_dict["global_step"]


def _trained(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of the parameters that are trained; frozen ones are always the same."""
    return {
        name: parameter.detach().to(torch.float32, copy=True)
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def _write(weights: dict[str, Tensor], *, model: nn.Module) -> None:
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in weights.items():
            parameters[name].copy_(tensor)
