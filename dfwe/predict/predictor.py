"""A merged model with all that is needed to ask it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfwe.errors import ConfigurationError
from dfwe.models.folders import read_config
from dfwe.predict.folder import Asking, read_asking, task_of
from dfwe.predict.inputs import Item, columns_of, instances_of, items

if TYPE_CHECKING:
    from dfwe.config.tasks import Task
    from dfwe.families.seq2seq.inference.answers import Answer, Decoding
    from dfwe.records import Instance

Input = str | Mapping[str, Any]  # a text; a row; a dialogue, or a turn of one

_MAX_TOKENS, _TEXT_TOKENS = 1024, 16384  # read at once, padding included; in a batch that free text is written for


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
    found = task_of(asking, name=task, folder=folder, trusted=trust)
    is_classifier = _is_classifier(folder)
    if is_classifier:
        from dfwe.families.classifier.tasks import classification_task

        found = classification_task(found)
    import transformers  # seconds, once all else is known to be right
    from transformers.utils import logging as transformers_logging

    from dfwe.models.loading import load_tokenizer, load_weights_of

    transformers_logging.disable_progress_bar()
    auto = transformers.AutoModelForSequenceClassification if is_classifier else transformers.AutoModelForSeq2SeqLM
    model = load_weights_of(auto, folder).eval()
    return Predictor(found, asking=asking, model=model, tokenizer=load_tokenizer(folder))


class Predictor:
    """Answers the questions of one task.

    An input is a text (of a task that reads one column, or asks about a turn), a row (a mapping of columns), or a
    dialogue in the TLiDB format. A text or a row is one question; a dialogue may be several.
    """

    def __init__(self, task: Task, *, asking: Asking, model: Any, tokenizer: Any) -> None:
        self._task, self._asking, self._model, self._tokenizer = task, asking, model, tokenizer
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
        instances = instances_of(inputs, prompt=self._prompt, max_words=self._asking.max_words)
        if not instances:
            return []
        return [
            Prediction(instance.instance_id, answer.text, _probabilities(instance, answer))
            for instance, answer in zip(instances, self._answered(instances), strict=True)
        ]

    @property
    def _decode(self) -> str:
        return self._task.decode if self._asking.decode == "task" else self._asking.decode

    def _answered(self, instances: Sequence[Instance]) -> list[Answer]:
        from dfwe.families.seq2seq.scorer import SplitScorer
        from dfwe.families.seq2seq.tokenization import TokenLimits, tokens_in_memory

        asking = self._asking
        if self._model.config.problem_type is not None:
            from dfwe.families.classifier.predict import classify

            return classify(
                self._model,
                instances,
                task=self._task,
                tokenizer=self._tokenizer,
                max_tokens=asking.max_source_tokens,
                batch_tokens=_MAX_TOKENS,
            )
        limits = TokenLimits(asking.max_source_tokens, asking.max_target_tokens, asking.truncation)
        split = tokens_in_memory(instances, tokenizer=self._tokenizer, limits=limits)
        scorer = SplitScorer(split, scorer=self._task.scorer, decoding=self._decoding(), tokenizer=self._tokenizer)
        return scorer.answers(self._model)

    def _decoding(self) -> Decoding:
        from dfwe.config.foreign import record
        from dfwe.families.seq2seq.inference.answers import Decoding
        from dfwe.families.seq2seq.inference.generate import ReferenceDecoding

        numbers = self._asking.reference if self._decode == "reference" else None
        reference = None if numbers is None else record(ReferenceDecoding, numbers, where="dfwe.json, `reference`")
        return Decoding(
            decode=self._decode,  # type: ignore[arg-type]
            max_new_tokens=self._task.max_new_tokens,
            max_tokens=_MAX_TOKENS,
            text_tokens=_TEXT_TOKENS,
            bf16=False,
            reference=reference,
        )


def _is_classifier(folder: Path) -> bool:
    architectures = read_config(folder).get("architectures") or [""]
    return str(architectures[0]).endswith("ForSequenceClassification")


def _probabilities(instance: Instance, answer: Answer) -> dict[str, float] | None:
    if answer.label_scores is None:
        return None
    scores = answer.label_scores.astype(np.float64)
    shares = np.exp(scores - scores.max())
    return dict(zip(instance.candidates, (shares / shares.sum()).tolist(), strict=True))
