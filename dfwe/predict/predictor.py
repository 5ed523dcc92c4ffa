"""A merged model with all that is needed to ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    from dfwe.families.classifier.predict import ExportedClassifier
    from dfwe.families.text.reader import Inference
    from dfwe.families.text.tokenization import PromptForm
    from dfwe.records import Answer, Instance

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
    target = task_of(asking, name=task, folder=folder, trusted=trust)
    architectures = read_config(folder).get("architectures") or [""]
    is_classifier = str(architectures[0]).endswith("ForSequenceClassification")
    return (_classifier if is_classifier else _text_writer)(folder, task=target, asking=asking)


class Predictor:
    """Answers the questions of one task.

    An input is a text (of a task that reads one column, or asks about a turn), a row (a mapping of columns), or a
    dialogue in the TLiDB format. A text or a row is one question; a dialogue may be several.
    """

    def __init__(
        self, task: Task, *, max_words: int, decode: str, answer: Callable[[Sequence[Instance]], list[Answer]]
    ) -> None:
        self._task, self._max_words, self._decode, self._answer = task, max_words, decode, answer
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


def _classifier(folder: Path, *, task: Task, asking: Asking) -> Predictor:
    from dfwe.families.classifier.tasks import classification_task

    task = classification_task(task)
    from dfwe.families.classifier.predict import classify  # seconds, once all else is known to be right
    from dfwe.predict.bert import load_bert

    classifier = load_bert(folder) or _load_classifier(folder)

    def answer(instances: Sequence[Instance]) -> list[Answer]:
        return classify(classifier, instances, task=task, max_tokens=asking.max_source_tokens, batch_tokens=_MAX_TOKENS)

    return Predictor(task, max_words=asking.max_words, decode=task.decode, answer=answer)


def _load_classifier(folder: Path) -> ExportedClassifier:
    from transformers import AutoModelForSequenceClassification

    from dfwe.families.classifier.predict import ExportedClassifier

    model, tokenizer = _load(AutoModelForSequenceClassification, folder)
    labels = model.config.id2label
    return ExportedClassifier(
        tuple(labels[number] for number in sorted(labels)), tokenizer, lambda **inputs: model(**inputs).logits
    )


def _text_writer(folder: Path, *, task: Task, asking: Asking) -> Predictor:
    from dfwe.config.foreign import record
    from dfwe.families.text.decoding import Decoding, ReferenceDecoding  # seconds, once all else is known to be right
    from dfwe.families.text.reader import answer_instances
    from dfwe.families.text.tokenization import TokenLimits

    auto, inference, form = _way_of_asking(asking)
    model, tokenizer = _load(auto, folder)
    decode: Any = task.decode if asking.decode == "task" else asking.decode
    decoding = Decoding(
        decode=decode,
        max_new_tokens=task.max_new_tokens,
        max_tokens=_MAX_TOKENS,
        text_tokens=_TEXT_TOKENS,
        reference=record(ReferenceDecoding, asking.reference, where="dfwe.json, `reference`")
        if decode == "reference"
        else None,
        length_normalized=asking.length_normalized,
    )
    limits = TokenLimits(asking.max_source_tokens, asking.max_target_tokens, asking.truncation)

    def answer(instances: Sequence[Instance]) -> list[Answer]:
        return answer_instances(
            model,
            instances,
            scorer=task.scorer,
            tokenizer=tokenizer,
            limits=limits,
            decoding=decoding,
            inference=inference,
            form=form,
        )

    return Predictor(task, max_words=asking.max_words, decode=decode, answer=answer)


def _way_of_asking(asking: Asking) -> tuple[Any, Inference, PromptForm]:
    """Return the Auto class of the model, how it is asked, and the form of its prompts."""
    if asking.family == "causal_lm":
        from transformers import AutoModelForCausalLM

        from dfwe.families.causal_lm.asking import CausalInference
        from dfwe.families.causal_lm.prompts import CausalForm

        return AutoModelForCausalLM, CausalInference(), CausalForm(asking.chat_template, asking.target_delimiter)
    from transformers import AutoModelForSeq2SeqLM

    from dfwe.families.seq2seq.inference.asking import Seq2SeqInference
    from dfwe.families.text.tokenization import PLAIN

    return AutoModelForSeq2SeqLM, Seq2SeqInference(), PLAIN


def _load(auto: Any, folder: Path) -> tuple[Any, Any]:
    """Return the model that an Auto class builds of the folder, and its tokenizer."""
    from transformers.utils import logging

    from dfwe.models.loading import load_tokenizer, load_weights_of

    logging.disable_progress_bar()
    return load_weights_of(auto, folder).eval(), load_tokenizer(folder)


def _probabilities(instance: Instance, answer: Answer) -> dict[str, float] | None:
    if answer.label_scores is None:
        return None
    scores = answer.label_scores.astype(np.float64)
    shares = np.exp(scores - scores.max())
    return dict(zip(instance.candidates, (shares / shares.sum()).tolist(), strict=True))
