"""A merged model with all that is needed to ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfwe.data.prompts.base import columns_of
from dfwe.errors import ConfigurationError
from dfwe.predict.folder import Asking, read_asking, task_of
from dfwe.predict.inputs import Item, instances_of, items

if TYPE_CHECKING:
    from dfwe.config.tasks import Task
    from dfwe.records import Answer, Instance

Input = str | Mapping[str, Any]  # a text; a row; a dialogue, or a turn of one


@dataclass(frozen=True)
class Prediction:
    """An answer to one question; `probabilities` are of the closed set of answers, None where there is none."""

    instance_id: str
    answer: str
    probabilities: Mapping[str, float] | None


def load(folder: str | Path, *, task: str | None = None, trust: bool = False) -> Predictor:
    """Return the model in a run's folder `merged/` or `best/`, ready to be asked.

    `task` is a short or long name, the folder's target unless it is given. Nothing in the folder runs: it may name
    classes of dfwe alone, unless `trust` says that you know who wrote it.

    Raises:
        DfweError: the folder is not a merged model's or is damaged, names foreign classes, or has no such task.
    """
    folder = Path(folder)
    asking = read_asking(folder)
    target = task_of(asking, name=task, folder=folder, trusted=trust)
    from dfwe.predict.models import load_model

    target, decode, answer = load_model(folder, task=target, asking=asking)
    return Predictor(target, asking=asking, decode=decode, answer=answer)


class Predictor:
    """Answers the questions of one task.

    An input is a text (of a task that reads one column, or asks about a turn), a row (a mapping of columns), or a
    dialogue in the TLiDB format. A text or a row is one question; a dialogue may be several. `quoting` says whether
    quotation marks had a meaning in the table that the model learnt from.
    """

    def __init__(
        self, task: Task, *, asking: Asking, decode: str, answer: Callable[[Sequence[Instance]], list[Answer]]
    ) -> None:
        self.quoting = asking.quoting.get(task.name, True)
        self._task, self._max_words, self._decode, self._answer = task, asking.max_words, decode, answer
        self._prompt = replace(task.prompt, unlabelled=True)

    @property
    def task(self) -> str:
        """The task's long name."""
        return self._task.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The closed set of answers, empty for free text."""
        return self._task.labels

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns that a row must have; None where the task asks about dialogues."""
        return columns_of(self._prompt)

    def predict(self, inputs: Iterable[Input]) -> list[str]:
        """Return the answers, in order.

        Raises:
            DataError: an input lacks what the task asks about.
        """
        return [prediction.answer for prediction in self.answers(inputs)]

    def probabilities(self, inputs: Iterable[Input]) -> list[dict[str, float]]:
        """Return for each question how likely each of its closed set of answers is; these add up to 1.

        Raises:
            ConfigurationError: the task's answers are free text.
            DataError: an input lacks what the task asks about.
        """
        self.check_probabilities()
        return [dict(prediction.probabilities or {}) for prediction in self.answers(inputs)]

    def check_probabilities(self) -> None:
        """Raise ConfigurationError where answers have no probabilities."""
        if self._decode not in ("labels", "candidates"):
            raise ConfigurationError(f"{self.task} is answered in free text, which has no probabilities")

    def answers(self, inputs: Iterable[Input]) -> list[Prediction]:
        """Return the answers with their probabilities and the ids of what was asked; errors as in `predict`."""
        return self.answers_to(items(inputs))

    def answers_to(self, inputs: Sequence[Item]) -> list[Prediction]:
        """Return the answers to inputs that say where they come from."""
        instances = instances_of(inputs, prompt=self._prompt, max_words=self._max_words)
        if not instances:
            return []
        return [
            Prediction(instance.instance_id, answer.text, _probabilities(instance, answer))
            for instance, answer in zip(instances, self._answer(instances), strict=True)
        ]


def _probabilities(instance: Instance, answer: Answer) -> dict[str, float] | None:
    if answer.label_scores is None:
        return None
    scores = answer.label_scores.astype(np.float64)
    shares = np.exp(scores - scores.max())
    return dict(zip(instance.candidates, (shares / shares.sum()).tolist(), strict=True))
