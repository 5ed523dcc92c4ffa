"""Models as lm-evaluation-harness asks them: in memory, its requests built once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch

from dfwe.config.tasks import Task, task_reader
from dfwe.data.readers.harness import HarnessSplit, HarnessTask
from dfwe.errors import ConfigurationError, ModelError
from dfwe.families.scorer import Batch, SplitReader
from dfwe.metrics.documents import DocumentMean
from dfwe.metrics.scorer import Scorer
from dfwe.records import Answer, Instance, Split


class HarnessReader(SplitReader):
    """The values of a task of lm-eval, document by document.

    lm-eval's own `HFLM` asks the model, with the weights that it has at the moment: the answers are those of a run of
    lm-eval on the exported model.

    Raises:
        ConfigurationError: a metric of the task's that lm-eval does not compute as a mean over documents.
    """

    is_closed = False

    def __init__(
        self, instances: Sequence[Instance], *, documents: HarnessSplit, scorer: Scorer, tokenizer: Any, batch_size: int
    ) -> None:
        self.instances = tuple(instances)
        self._documents, self._tokenizer, self._batch_size = documents, tokenizer, batch_size
        for metric in scorer.metrics.values():
            if not isinstance(metric, DocumentMean) or metric.key not in documents.metrics:
                key = metric.key if isinstance(metric, DocumentMean) else type(metric).__name__
                raise ConfigurationError(
                    f"the metric {key} is no mean over this task's documents of which higher is better: set the key of "
                    f"a DocumentMean to one of {'; '.join(documents.metrics) or '(it has none)'}"
                )

    def groups(self) -> list[list[int]]:
        """Return all documents together: lm-eval makes the batches."""
        return [list(range(len(self.instances)))]

    def batch(self, members: Sequence[int]) -> Batch:
        """Return these documents; lm-eval has the tokens."""
        return Batch(tuple(members), {})

    def answers(self, model: Any, batch: Any) -> list[Answer]:
        """Return the documents' values, as JSON that metrics read; ModelError where lm-eval's batch has no room."""
        try:
            values = self._documents.scores(_asking(model, tokenizer=self._tokenizer, batch_size=self._batch_size))
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"no memory for {self._batch_size} requests of lm-eval at once: set the reader's batch_size lower"
            ) from error
        return [Answer(json.dumps(values[self.instances[member].instance_id])) for member in batch.members]


def harness_reader(task: Task, split: Split, *, instances: Sequence[Instance], tokenizer: Any) -> HarnessReader:
    """Return the reader of the task's split; ConfigurationError where its data is no task of lm-eval."""
    harness = task_reader(task, files=None)
    if not isinstance(harness, HarnessTask):
        raise ConfigurationError(f"{task.short}: decode=harness needs data.reader to be a HarnessTask of lm-eval")
    documents, batch_size = harness.splits[split], harness.batch_size
    return HarnessReader(instances, documents=documents, scorer=task.scorer, tokenizer=tokenizer, batch_size=batch_size)


def _asking(model: Any, *, tokenizer: Any, batch_size: int) -> Any:
    from lm_eval.models.huggingface import HFLM  # seconds

    model_of_lm_eval = HFLM(
        pretrained=model,
        backend="seq2seq" if model.config.is_encoder_decoder else "causal",
        tokenizer=tokenizer,
        batch_size=batch_size,
        device=str(model.device),
    )
    return lambda kind, requests: getattr(model_of_lm_eval, kind)(list(requests), disable_tqdm=True)
