"""Score a Transformers model in memory on labelled texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dfwe.api.asking import ModelAsking, write_answers
from dfwe.api.kinds import is_classifier, own_labels
from dfwe.errors import DataError, ModelError
from dfwe.families.classifier.predict import ExportedClassifier, classify_instances
from dfwe.families.scorer import evaluation_scores
from dfwe.families.text.decoding import end_token
from dfwe.families.tokens import first_position
from dfwe.metrics.base import Metric
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.scorer import Scorer
from dfwe.metrics.span import ExactMatch
from dfwe.metrics.statistics import with_interval
from dfwe.models.loading import check_tokenizer
from dfwe.records import Answer, Evaluation, Instance

Text = str | tuple[str, str]  # a pair is for classifiers


@dataclass(frozen=True, eq=False)
class TextEvaluation(Evaluation):
    """A model's answers to labelled texts, and their score in [0, 1]."""

    scorer: Scorer = field(kw_only=True, repr=False)

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % bootstrap interval of the score, over the texts; None of an undefined score, or of one text."""
        ends = with_interval(self, scorer=self.scorer, seed=0).get("interval")
        return None if ends is None else (ends[0], ends[1])


def evaluate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[Text],
    answers: Sequence[str],
    *,
    labels: Sequence[str] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    asking: ModelAsking | None = None,
    tokens_at_once: int = 1024,
) -> TextEvaluation:
    """Ask a model all texts, and score its answers; the model stays on its device, in evaluation mode.

    A model for sequence classification chooses one of its labels (`config.id2label`); a text that is too long is cut
    where its tokenizer cuts. An encoder-decoder and a decoder-only model choose the most likely one of `labels` in a
    single pass, or write a text if there are none.

    Args:
        model: A model of Transformers.
        tokenizer: Its tokenizer.
        texts: The texts, prompts for models that write.
        answers: The gold answer of each text.
        labels: The closed set of answers of a model that writes.
        metrics: The metrics, by name, whose mean is the score; by default accuracy, or exact match of written texts.
        asking: How a model that writes is asked.
        tokens_at_once: The number of tokens that are read at once, padding included; it changes no answer.

    Raises:
        ConfigurationError: the model is of another kind.
        DataError: there are no texts, or not one answer for each; a gold answer is none of the labels.
        ModelError: the tokenizer has no fast version, no pad token, or tokens that the model lacks; a classifier gives
            numbers, or is an XLNet, whose heads read the padding.
    """
    answers = [str(answer) for answer in answers]
    if not texts or len(texts) != len(answers):
        raise DataError(f"one gold answer for each text is needed: {len(texts)} texts have {len(answers)}")
    is_decoder = not is_classifier(model) and not model.config.is_encoder_decoder
    needs_pad = not is_decoder or end_token(tokenizer) is None  # by which TextReader fills up a decoder's prompts, too
    check_tokenizer(tokenizer, model=model, where=type(model).__name__, needs_pad=needs_pad)
    model.eval()
    for number, text in enumerate(texts if is_decoder else ()):
        if not str(text).strip() and not tokenizer(text)["input_ids"]:
            raise DataError(f"text {number} has no tokens, which a decoder cannot go on from")
    closed = own_labels(model) if is_classifier(model) else tuple(labels or ())
    if is_classifier(model) and (len(closed) == 1 or model.config.model_type == "xlnet"):
        reason = "gives a number, not labels" if len(closed) == 1 else "reads padding (XLNet)"
        raise ModelError(f"{type(model).__name__} {reason}: dfwe.api.evaluate cannot score it")
    if closed and (wrong := sorted(set(answers) - set(closed))):
        raise DataError(f"'{wrong[0]}' is none of the labels {', '.join(closed)}")
    scorer = Scorer(dict(metrics or ({"accuracy": Accuracy(closed)} if closed else {"exact_match": ExactMatch()})))
    instances = [
        _instance(number, text, answer, closed)
        for number, (text, answer) in enumerate(zip(texts, answers, strict=True))
    ]
    limits = {"tokens_at_once": tokens_at_once}
    if is_classifier(model):
        outputs = _classify(model, tokenizer, instances, labels=closed, **limits)
    else:
        outputs = write_answers(model, tokenizer, instances, scorer, asking=asking or ModelAsking(), **limits)
    scored = scorer.evaluate(
        [answer.text for answer in outputs], references=[instance.references for instance in instances]
    )
    return TextEvaluation(**{**vars(scored), "label_scores": evaluation_scores(outputs)}, scorer=scorer)


def _instance(number: int, text: Text, answer: str, labels: tuple[str, ...]) -> Instance:
    is_pair = not isinstance(text, str)
    return Instance(
        instance_id=str(number),
        dialogue_id=str(number),
        context="" if is_pair else str(text),
        prompt="",
        targets=(answer,),
        references=(answer,),
        candidates=labels,
        sentences=tuple(text) if is_pair else (),
    )


def _classify(
    model: Any, tokenizer: Any, instances: Sequence[Instance], *, labels: Sequence[str], tokens_at_once: int
) -> list[Answer]:
    def logits(**inputs: Tensor) -> Tensor:
        outputs: Tensor = model(**{name: tensor.to(model.device) for name, tensor in inputs.items()}).logits
        return outputs

    config = model.config.get_text_config()
    if config.pad_token_id is None:  # by which a decoder's head finds a text's end
        config.pad_token_id = tokenizer.pad_token_id
    classifier = ExportedClassifier(tuple(labels), tokenizer, logits)
    num_positions = int(getattr(config, "max_position_embeddings", 512)) - first_position(model)
    return classify_instances(
        classifier,
        instances,
        task="the texts",
        labels=labels,
        answers=labels,
        max_tokens=min(tokenizer.model_max_length, num_positions),
        batch_tokens=tokens_at_once,
        truncation="context" if tokenizer.truncation_side == "left" else "reference",
    )
