"""The Lightning module for one encoder with a head for each task."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from dfwe.families.encoder.gradient_surgery import Surgery
from dfwe.families.encoder.model import TaskModel
from dfwe.families.encoder.smart import Forward, Smart, same_draws
from dfwe.families.fast.dropout import LightDropout
from dfwe.training.ranks import average_over_ranks

Batch = Mapping[str, Any]  # "task", and its tensors: "input_ids", "attention_mask", "gold"


class MultiTask(pl.LightningModule):
    """Trains a model with heads, on steps of one or several tasks' batches.

    A step's gradient is the sum over its batches of the task's weight times the gradient of its mean loss; with
    `surgery`, of what that gradient has without its conflicts with the other batches'. `smart` adds to every task's
    loss. A parameter that no batch of a step reaches (the head of a task that is not there) stays as it is.

    `gradient_clip` is the largest norm of a step's gradient, None for any; the trainer's own must be None, since
    Lightning refuses to clip where a module makes its steps itself. With `light_dropout` training draws its dropout as
    `LightDropout` does.
    """

    def __init__(
        self,
        model: TaskModel,
        *,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        gradient_clip: float | None,
        surgery: Surgery | None,
        smart: Smart | None,
        weights: Mapping[str, float],
        light_dropout: bool,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self._optimizer, self._gradient_clip, self._light_dropout = optimizer, gradient_clip, light_dropout
        self._surgery, self._smart, self._weights = surgery, smart, dict(weights)
        # SMART's proximal point; a module of this one, so that checkpoints hold it
        self.average: TaskModel | None = None

    def configure_model(self) -> None:
        """Start the proximal point at the weights with which training starts, before a checkpoint is read."""
        if self._smart is not None and self._smart.proximal is not None and self.average is None:
            self.average = copy.deepcopy(self.model).requires_grad_(False)

    def training_step(self, batches: Sequence[Batch], batch_idx: int) -> None:
        """Make one step of the optimizer."""
        optimizer = cast(LightningOptimizer, self.optimizers())
        optimizer.zero_grad()
        weights = [self._weights[batch["task"]] for batch in batches]
        if self._surgery is None:
            for batch, weight in zip(batches, weights, strict=True):
                self._backward(batch, weight=weight)
            self._average_over_ranks([parameter.grad for parameter in self.model.parameters()])
        else:
            gradients = [self._gradient(batch) for batch in batches]
            combined = self._surgery.combine(gradients, weights=weights, epoch=self.current_epoch, batch=batch_idx)
            for parameter, gradient in zip(self.model.parameters(), combined, strict=True):
                parameter.grad = gradient
        if self._gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self._gradient_clip)
        optimizer.step()
        self._move_average(batch_idx)

    def configure_optimizers(self) -> Optimizer:
        """Return the optimizer given at construction, over the model's parameters."""
        return self._optimizer(self.model.parameters())

    def _backward(self, batch: Batch, *, weight: float) -> None:
        with LightDropout() if self._light_dropout else nullcontext():
            loss = self._loss(batch)
        weight *= batch.get("share", 1.0)  # of a batch that several processes divide
        with torch.autocast(loss.device.type, enabled=False), self._unsynchronized():
            self.manual_backward(loss * weight)  # what ran in bfloat16 goes back in it, nothing else

    def _gradient(self, batch: Batch) -> list[Tensor | None]:
        """Return the gradient of a batch's loss by parameter, taken off the parameters: no copy of it is made."""
        self._backward(batch, weight=1.0)
        gradient = [parameter.grad for parameter in self.model.parameters()]
        for parameter in self.model.parameters():
            parameter.grad = None
        self._average_over_ranks(gradient)
        return gradient

    def _unsynchronized(self) -> AbstractContextManager[None]:
        """Keep DDP from averaging gradients: a step's batches reach different heads, and surgery needs each."""
        module = self.trainer.model
        return module.no_sync() if isinstance(module, DistributedDataParallel) else nullcontext()

    def _average_over_ranks(self, gradients: Sequence[Tensor | None]) -> None:
        """Average gradients over the processes that train together: all reach the same parameters."""
        if self.trainer.world_size > 1:
            average_over_ranks([gradient for gradient in gradients if gradient is not None])

    def _loss(self, batch: Batch) -> Float[Tensor, ""]:
        """Return the task's mean loss, which is logged, and SMART's penalties."""
        if self._smart is None:
            outputs, penalty = self.model(batch).float(), None
        else:
            outputs, penalty = self._smooth(batch, self._smart)
        loss: Tensor = self.model.head(batch["task"]).losses(outputs, batch["gold"]).mean()
        name, number = f"train_loss/{batch['task']}", len(batch["gold"])
        self.log(name, loss.detach(), on_step=False, on_epoch=True, batch_size=number, sync_dist=True)
        return loss if penalty is None else loss + penalty

    def _smooth(self, batch: Batch, smart: Smart) -> tuple[Tensor, Tensor]:
        """Return the model's outputs for a batch, and SMART's penalties on it."""
        forward, embeddings = _forward(self.model, batch), self.model.embed(batch)
        seed = int(torch.randint(2**62, ())) if smart.same_dropout else None
        forward = same_draws(forward, seed=seed, device=embeddings.device)
        outputs = forward(embeddings)
        divergences = self.model.head(batch["task"]).divergences
        penalty = smart.penalty(forward, embeddings=embeddings, outputs=outputs, divergences=divergences)
        if smart.proximal is not None and self.average is not None:
            with torch.no_grad():
                average = same_draws(_forward(self.average, batch), seed=seed, device=embeddings.device)
                before = average(self.average.embed(batch))
            penalty = penalty + smart.proximal.weight * divergences(outputs, before).mean()
        return outputs, penalty

    def _move_average(self, batch_idx: int) -> None:
        """average <- beta average + (1 - beta) weights."""
        if self._smart is None or self._smart.proximal is None or self.average is None:
            return
        batches, epochs = max(1, int(self.trainer.num_training_batches)), max(1, self.trainer.max_epochs or 1)
        beta = self._smart.proximal.factor_at((self.current_epoch + batch_idx / batches) / epochs)
        with torch.no_grad():
            for average, parameter in zip(self.average.parameters(), self.model.parameters(), strict=True):
                average.lerp_(parameter, 1.0 - beta)


def _forward(model: TaskModel, batch: Batch) -> Forward:
    def forward(embeddings: Tensor) -> Tensor:
        outputs: Tensor = model(batch, embeddings=embeddings)
        return outputs.float()

    return forward
