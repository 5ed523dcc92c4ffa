"""The Lightning module for any Hugging Face encoder-decoder, and loading one from a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import AutoModelForSeq2SeqLM, PreTrainedModel

from dfwe.families.fast.dropout import LightDropout
from dfwe.models.loading import load_weights_of

Batch = dict[str, Tensor]
OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


class TextToText(pl.LightningModule):
    """An encoder-decoder that learns target texts from source texts.

    A batch holds `input_ids`, `attention_mask`, `labels` (-100 where padded) and `loss_weight` (a scalar). With
    `light_dropout` training draws its dropout as `LightDropout` does.
    """

    def __init__(self, model: PreTrainedModel, *, optimizer: OptimizerFactory, light_dropout: bool) -> None:
        super().__init__()
        self.model = model
        self._optimizer, self._light_dropout = optimizer, light_dropout

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the batch's mean token cross-entropy times its loss weight."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
        with LightDropout() if self._light_dropout else nullcontext():
            loss: Tensor = self.model(**inputs).loss * batch["loss_weight"]
        self.log("train_loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(batch["labels"]))
        return loss

    def configure_optimizers(self) -> Optimizer:
        """Return the optimizer given at construction over all parameters."""
        return self._optimizer(self.parameters())

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradient's norm; Lightning's own way refuses a fused optimizer under bf16 (no scaler there)."""
        if gradient_clip_val:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)


def load_model(folder: Path) -> PreTrainedModel:
    """Return the model in a Hugging Face folder, in float32 and evaluation mode; errors as in `load_weights_of`."""
    model: PreTrainedModel = load_weights_of(AutoModelForSeq2SeqLM, folder)
    model.eval()
    return model
