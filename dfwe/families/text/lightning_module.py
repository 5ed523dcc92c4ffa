"""The Lightning module of every family whose answers are texts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from contextlib import nullcontext

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import PreTrainedModel

from dfwe.families.fast.dropout import LightDropout

Batch = dict[str, Tensor]
OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


class TextModule(pl.LightningModule):
    """A model that learns target texts from source texts.

    A batch has a `loss_weight` (a scalar) and what `loss` reads. With `light_dropout` training draws its dropout as
    `LightDropout` does.
    """

    def __init__(self, model: PreTrainedModel, *, optimizer: OptimizerFactory, light_dropout: bool) -> None:
        super().__init__()
        self.model = model
        self._optimizer, self._light_dropout = optimizer, light_dropout

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Return the batch's mean token cross-entropy."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the batch's loss times its weight."""
        with LightDropout() if self._light_dropout else nullcontext():
            loss = self.loss(batch) * batch["loss_weight"]
        self.log(
            "train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(batch["labels"]), sync_dist=True
        )
        return loss

    def configure_optimizers(self) -> Optimizer:
        """Return the optimizer given at construction over all parameters that are not frozen."""
        return self._optimizer([parameter for parameter in self.parameters() if parameter.requires_grad])

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradient's norm; Lightning's own way refuses a fused optimizer under bf16 (no scaler there)."""
        if gradient_clip_val:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)


def checkpoint_gradients(model: PreTrainedModel, *, light_dropout: bool) -> None:
    """Let the backward pass compute activations again; its dropout draws what that of the forward pass drew."""
    again = LightDropout if light_dropout else nullcontext
    model.gradient_checkpointing_enable({"use_reentrant": False, "context_fn": lambda: (nullcontext(), again())})
