"""Load the model in a folder, whatever its family: how it answers instances of a task. Imports are late: seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfwe.models.folders import ordered_labels, read_config
from dfwe.predict.folder import Asking

if TYPE_CHECKING:
    from dfwe.config.tasks import Task
    from dfwe.families.classifier.predict import ExportedClassifier
    from dfwe.families.text.reader import Inference
    from dfwe.families.text.tokenization import PromptForm
    from dfwe.records import Answer, Instance

    Loaded = tuple[Task, str, Callable[[Sequence[Instance]], list[Answer]]]

_MAX_TOKENS, _TEXT_TOKENS = 1024, 16384  # read at once, padding included; in a batch that free text is written for


def load_model(folder: Path, *, task: Task, asking: Asking) -> Loaded:
    """Return the task as the model reads it, how it is answered, and a function from instances to answers.

    Raises:
        DfweError: the folder is damaged, or its model cannot answer the task.
    """
    architectures = read_config(folder).get("architectures") or [""]
    is_classifier = str(architectures[0]).endswith("ForSequenceClassification")
    return (_classifier if is_classifier else _text_writer)(folder, task=task, asking=asking)


def _classifier(folder: Path, *, task: Task, asking: Asking) -> Loaded:
    from dfwe.families.classifier.tasks import classification_task

    task = classification_task(task)
    from dfwe.families.classifier.predict import classify  # seconds, once all else is known to be right
    from dfwe.predict.bert import load_bert

    classifier = load_bert(folder) or _load_classifier(folder)

    def answer(instances: Sequence[Instance]) -> list[Answer]:
        limits: Any = {"max_tokens": asking.max_source_tokens, "truncation": asking.truncation}
        return classify(classifier, instances, task=task, batch_tokens=_MAX_TOKENS, **limits)

    return task, task.decode, answer


def _load_classifier(folder: Path) -> ExportedClassifier:
    from transformers import AutoModelForSequenceClassification

    from dfwe.families.classifier.predict import ExportedClassifier

    model, tokenizer = _load(AutoModelForSequenceClassification, folder)
    labels = ordered_labels(model.config.id2label)
    return ExportedClassifier(labels, tokenizer, lambda **inputs: model(**inputs).logits)


def _text_writer(folder: Path, *, task: Task, asking: Asking) -> Loaded:
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
    limits = TokenLimits(
        asking.max_source_tokens, asking.max_target_tokens, asking.truncation, max_truncated_fraction=1.0
    )

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

    return task, decode, answer


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
