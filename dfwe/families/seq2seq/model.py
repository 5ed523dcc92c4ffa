"""The Lightning module for any Hugging Face encoder-decoder, and loading one from a folder."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, EncoderDecoderModel, PreTrainedModel

from dfwe.families.text.lightning_module import Batch, TextModule
from dfwe.models.loading import load_weights_of
from dfwe.models.weight_checks import NEW_DECODER


class TextToText(TextModule):
    """An encoder-decoder; a batch holds `input_ids`, `attention_mask` and `labels` (-100 where padded)."""

    def loss(self, batch: Batch) -> Tensor:
        """Return the batch's mean token cross-entropy."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
        loss: Tensor = self.model(**inputs).loss
        return loss


def load_model(folder: Path) -> PreTrainedModel:
    """Return the model in a Hugging Face folder, in float32 and evaluation mode; errors as in `load_weights_of`."""
    model: PreTrainedModel = load_weights_of(AutoModelForSeq2SeqLM, folder)
    model.eval()
    return model


def fresh_parameters(model: PreTrainedModel) -> frozenset[str]:
    """Return the names of cross-attention and the output's transform where the decoder was made of an encoder."""
    if not isinstance(model, EncoderDecoderModel):
        return frozenset()
    names = [name for name, _ in model.decoder.named_parameters()]
    return frozenset(f"decoder.{name}" for name in names if NEW_DECODER.may_lack(name))
