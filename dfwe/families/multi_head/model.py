"""One encoder for several tasks, and a head for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from dfwe.errors import ModelError
from dfwe.families.multi_head.heads.base import Head, HeadSpec
from dfwe.models.loading import load_encoder
from dfwe.seeding import derive

SentenceBatch = Mapping[str, Any]
HeadSpecs = Mapping[str, tuple[HeadSpec, Sequence[str]]]  # spec and labels by task


class TaskModel(nn.Module, ABC):
    """A model with a head per task, whose batches name their task."""

    @abstractmethod
    def head(self, task: str) -> Head:
        """Return the task's head; ModelError where there is none."""

    @abstractmethod
    def embed(self, batch: SentenceBatch) -> Float[Tensor, "rows length width"]:
        """Return the word embeddings of the batch's tokens, which `forward` takes back, changed or not."""

    @abstractmethod
    def forward(
        self, batch: SentenceBatch, *, embeddings: Float[Tensor, "rows length width"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return the outputs of the task's head; from `embeddings` where they are given, else from the tokens."""


class MultiHead(TaskModel):
    """An encoder that tasks share, and their heads by the tasks' names.

    A batch holds `task`, `input_ids` and `attention_mask` [sentences * batch, length], sentence-major: the first
    sentences of all examples, then the second ones; and `gold` [batch], which is not read here.
    """

    def __init__(self, encoder: PreTrainedModel, *, heads: Mapping[str, Head]) -> None:
        super().__init__()
        self.encoder, self.heads = encoder, nn.ModuleDict()
        for task, head in heads.items():
            if "." in task or hasattr(self.heads, task):
                raise ModelError(f"a task with a head cannot be called '{task}': give it another name")
            self.heads[task] = head

    def head(self, task: str) -> Head:
        """Return the task's head; ModelError where it has none."""
        if task not in self.heads:
            raise ModelError(
                f"no head for task '{task}': the model has heads for {', '.join(self.heads) or 'no task'}; a task "
                "gets one from `head` in its YAML"
            )
        head = self.heads[task]
        assert isinstance(head, Head)
        return head

    def embed(self, batch: SentenceBatch) -> Float[Tensor, "rows length width"]:
        """Return the word embeddings of the batch's tokens, which `forward` takes back, changed or not."""
        embeddings: Tensor = self.encoder.get_input_embeddings()(batch["input_ids"])
        return embeddings

    def forward(
        self, batch: SentenceBatch, *, embeddings: Float[Tensor, "rows length width"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return the outputs of the task's head; from `embeddings` where they are given, else from the tokens.

        Raises:
            ModelError: the task has no head; its head wants a pooler, which the encoder lacks.
        """
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
    with torch.random.fork_rng(devices=[]):
        encoder = load_encoder(folder)
        heads = {
            task: _fresh_head(spec, width=encoder.config.hidden_size, labels=labels, seed=derive(seed, "head", task))
            for task, (spec, labels) in specs.items()
        }
    model = MultiHead(encoder, heads=heads)
    model.eval()
    return model


def _fresh_head(spec: HeadSpec, *, width: int, labels: Sequence[str], seed: int) -> Head:
    torch.default_generator.manual_seed(seed)  # the caller restores it; torch.manual_seed would touch a GPU's, too
    return spec.build(width=width, labels=labels)


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
