"""Ask models that write: encoder-decoders and decoder-only models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.errors import ConfigurationError
from dfwe.families.causal_lm.asking import CausalInference
from dfwe.families.causal_lm.prompts import CausalForm
from dfwe.families.seq2seq.inference.asking import Seq2SeqInference
from dfwe.families.text.decoding import Decoding
from dfwe.families.text.reader import Inference, answer_instances
from dfwe.families.text.tokenization import PLAIN, PromptForm, TokenLimits
from dfwe.metrics.scorer import Scorer
from dfwe.records import Answer, Instance


@dataclass(frozen=True)
class ModelAsking:
    """Say how a model that writes is asked; the defaults are those of conf/model/causal_lm.yaml.

    `chat_template`, `target_delimiter` and `length_normalized` are read for decoder-only models alone.
    """

    chat_template: bool = False
    target_delimiter: str = " "
    length_normalized: bool = False
    max_source_tokens: int = 512
    max_new_tokens: int = 64


def write_answers(
    model: Any,
    tokenizer: Any,
    instances: Sequence[Instance],
    scorer: Scorer,
    *,
    asking: ModelAsking,
    tokens_at_once: int,
) -> list[Answer]:
    """Return the answers, each one of its candidates if there are some, in order.

    Raises:
        ConfigurationError: the model does not write, or an instance is a pair of texts.
    """
    if any(instance.sentences for instance in instances):
        raise ConfigurationError("pairs of texts are for classifiers: write a prompt for a model that writes")
    inference, form = _way_of_asking(model, asking)
    decoding = Decoding(
        decode="labels" if instances[0].candidates else "greedy",
        max_new_tokens=asking.max_new_tokens,
        max_tokens=tokens_at_once,
        text_tokens=tokens_at_once,
        length_normalized=asking.length_normalized,
    )
    return answer_instances(
        model,
        instances,
        scorer=scorer,
        tokenizer=tokenizer,
        limits=TokenLimits(asking.max_source_tokens, asking.max_new_tokens),
        decoding=decoding,
        inference=inference,
        form=form,
    )


def _way_of_asking(model: Any, asking: ModelAsking) -> tuple[Inference, PromptForm]:
    if not model.can_generate():
        raise ConfigurationError(
            f"{type(model).__name__} neither chooses among labels nor writes: load it by AutoModelForSequence"
            "Classification, AutoModelForSeq2SeqLM or AutoModelForCausalLM"
        )
    if model.config.is_encoder_decoder:
        return Seq2SeqInference(), PLAIN
    return CausalInference(), CausalForm(asking.chat_template, asking.target_delimiter)
