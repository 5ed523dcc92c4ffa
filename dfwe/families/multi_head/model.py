"""One encoder for several tasks, and a head for each that reads pooled sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from dfwe.errors import ModelError
from dfwe.families.encoder.data import SentenceBatch
from dfwe.families.encoder.heads import Head
from dfwe.families.encoder.model import TaskModel
from dfwe.families.multi_head.heads.base import HeadSpec
from dfwe.models.loading import load_encoder
from dfwe.seeding import derive

HeadSpecs = Mapping[str, tuple[HeadSpec, Sequence[str]]]  # spec and labels by task


class MultiHead(TaskModel):
    """An encoder that tasks share, and their heads by the tasks' names; `gold` of a batch is not read here."""

    def __init__(self, encoder: PreTrainedModel, *, heads: Mapping[str, Head]) -> None:
        super().__init__()
        self.encoder, self.heads = encoder, nn.ModuleDict()
        for task, head in heads.items():
            self._add_head(task, head)

    def forward(
        self, batch: SentenceBatch, *, embeddings: Float[Tensor, "rows length width"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return the outputs of the task's head; from `embeddings` where they are given, else from the tokens.

        Raises:
            ModelError: the task has no head; its head wants a pooler, which the encoder lacks; a text is too long.
        """
        self._check_length(batch)
        head = self.head(batch["task"])
        words = {"input_ids": batch["input_ids"]} if embeddings is None else {"inputs_embeds": embeddings}
        read = self.encoder(**words, attention_mask=batch["attention_mask"])
        pooled = _pooled(read, mask=batch["attention_mask"], pooling=head.pooling)
        outputs: Tensor = head(pooled.view(head.num_sentences, -1, pooled.shape[-1]))
        return outputs


def load_multi_head(folder: Path, *, specs: HeadSpecs, seed: int) -> MultiHead:
    """Return the encoder in a Hugging Face folder, with fresh heads, in float32 and evaluation mode.

    Each head is drawn from a stream of its own, named by its task, so that no head depends on which others there are;
    torch's global generator is left as it was.

    Raises:
        ModelError: the folder holds an encoder-decoder, or its weights do not fit (`load_weights_of`).
        ConfigurationError: a head that cannot be for those labels.
    """
    heads = {}
    with torch.random.fork_rng(devices=[]):
        encoder = load_encoder(folder)
        for task, (spec, labels) in specs.items():
            torch.default_generator.manual_seed(
                derive(seed, "head", task)
            )  # torch.manual_seed would touch a GPU's, too
            heads[task] = spec.build(width=encoder.config.hidden_size, labels=labels)
    model = MultiHead(encoder, heads=heads)
    model.eval()
    return model


def _pooled(read: Any, *, mask: Tensor, pooling: str) -> Float[Tensor, "rows width"]:
    """Return one embedding per sentence: what the pooler makes of [CLS], [CLS] itself, or the mean over all tokens."""
    hidden: Tensor = read.last_hidden_state
    match pooling:
        case "pooler":
            pooled: Tensor | None = getattr(read, "pooler_output", None)
            if pooled is None:
                raise ModelError("the encoder has no pooler: say head.pooling=cls or mean")
            return pooled
        case "cls":
            return hidden[:, 0]
        case _:
            present = mask[:, :, None].to(hidden.dtype)
            return (hidden * present).sum(1) / present.sum(1)
