"""Instances as token ids: cached on disk and memory-mapped by `datasets`, or in memory, which needs no import of it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from dfwe.errors import DataError
from dfwe.families.text.decoding import end_token
from dfwe.families.tokens import Truncation, check_truncation, source_ids
from dfwe.io.files import replacing_folder
from dfwe.metrics.span import normalise
from dfwe.records import Instance

log = logging.getLogger(__name__)

_NO_LIMIT = 10**6


@dataclass(frozen=True)
class TokenLimits:
    """How long inputs and targets may be, in tokens, and what gives way.

    `context` drops the oldest tokens of the context, so that the prompt survives; `reference` cuts on the right as the
    benchmark's code does, which loses the prompt of an over-long input. A prompt that alone is too long loses its
    beginning, which at most `max_truncated_fraction` of a split's instances may.
    """

    max_source_tokens: int
    max_target_tokens: int
    truncation: Truncation = "context"
    max_truncated_fraction: float = 0.0


@dataclass(frozen=True)
class PromptForm:
    """How prompts and answers become tokens: here, as an encoder-decoder reads and writes them."""

    def spec(self) -> dict[str, Any]:
        """Return what of the form changes tokens, as JSON values."""
        return {}

    def tokens_spec(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
        """Return what, beside its vocabulary, makes tokens of this form, as JSON values."""
        return {**self.spec(), "end": end_token(tokenizer)}

    def source(
        self, instance: Instance, *, tokenizer: PreTrainedTokenizerBase, limits: TokenLimits
    ) -> tuple[list[int], int]:
        """Return the prompt's ids within the limit, and how many tokens the prompt proper lost."""
        most = limits.max_source_tokens
        if limits.truncation == "reference":
            return tokenizer(instance.source, truncation=True, max_length=most)["input_ids"], 0
        return source_ids(instance, tokenizer=tokenizer, max_tokens=most)

    def answer(self, text: str, *, tokenizer: PreTrainedTokenizerBase) -> list[int]:
        """Return an answer's ids, without a start token (the decoder brings its own) and without an end token."""
        ids: list[int] = tokenizer(text_target=text, add_special_tokens=False)["input_ids"]
        return ids

    def answer_text(self, text: str) -> str:
        """Return the answer in a text that a model has written."""
        return text


PLAIN = PromptForm()


@dataclass(frozen=True)
class TokenisedSplit:
    """Instances of one split and their tokens.

    Columns of `tokens`: `source` (ids), `targets` (a list of ids per alternative), `candidates` (a list of ids per
    answer of the closed set, empty for free text), `length` (of the source), `cut` (how many tokens the prompt lost).
    """

    instances: tuple[Instance, ...]
    tokens: Any

    def __len__(self) -> int:
        return len(self.instances)


def tokens_key(
    instances: Sequence[Instance],
    *,
    tokenizer: PreTrainedTokenizerBase,
    limits: TokenLimits,
    form: PromptForm = PLAIN,
) -> str:
    """Return a digest of the limits, the form, the tokenizer and the instances, which names the tokens."""
    digest = hashlib.sha256(json.dumps(asdict(limits) | form.tokens_spec(tokenizer)).encode())
    digest.update(tokenizer.backend_tokenizer.to_str().encode())
    for instance in instances:
        texts = tuple(value for name, value in vars(instance).items() if name != "target_weights")  # not in tokens
        digest.update(repr(texts).encode())
    return digest.hexdigest()[:16]


def save_tokens(
    instances: Sequence[Instance],
    *,
    tokenizer: PreTrainedTokenizerBase,
    limits: TokenLimits,
    folder: Path,
    form: PromptForm = PLAIN,
) -> None:
    """Write the instances' tokens into the folder, whole or not at all.

    Raises:
        DataError: an answer of a closed set that is too long, or one that another has the same tokens as.
    """
    columns = _columns(instances, tokenizer=tokenizer, limits=limits, form=form)
    import datasets

    datasets.disable_progress_bars()
    with replacing_folder(folder, mark="dataset_info.json") as temporary:
        datasets.Dataset.from_dict(columns).save_to_disk(temporary)


def read_tokens(instances: Sequence[Instance], *, limits: TokenLimits, folder: Path) -> TokenisedSplit:
    """Return the instances with the tokens that `save_tokens` wrote; DataError where too many prompts are too long."""
    import datasets

    split = TokenisedSplit(tuple(instances), datasets.load_from_disk(str(folder)))
    _check_cut(split, limits=limits)
    return split


def tokens_in_memory(
    instances: Sequence[Instance],
    *,
    tokenizer: PreTrainedTokenizerBase,
    limits: TokenLimits,
    form: PromptForm = PLAIN,
) -> TokenisedSplit:
    """Return the instances with their tokens, which are written nowhere; errors as in `save_tokens`, `read_tokens`."""
    columns = _Columns(_columns(instances, tokenizer=tokenizer, limits=limits, form=form))
    split = TokenisedSplit(tuple(instances), columns)
    _check_cut(split, limits=limits)
    return split


class _Columns:
    """Columns by name, or some rows of all columns, as a `datasets.Dataset` gives them."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = columns

    def __getitem__(self, key: str | list[int]) -> Any:
        if isinstance(key, str):
            return self._columns[key]
        return {name: [column[row] for row in key] for name, column in self._columns.items()}


def warn_of_full(split: TokenisedSplit, *, limits: TokenLimits, of: str) -> None:
    """Warn of texts of a task's own that are cut, or just not; a corpus of dialogues is cut by design."""
    num_full = sum(length >= limits.max_source_tokens for length in split.tokens["length"])
    if num_full:
        log.warning(
            "%s: %d of %d texts fill model.max_source_tokens=%d tokens: of a longer one the beginning is cut",
            of,
            num_full,
            len(split),
            limits.max_source_tokens,
        )


def _columns(
    instances: Sequence[Instance], *, tokenizer: PreTrainedTokenizerBase, limits: TokenLimits, form: PromptForm
) -> dict[str, list[Any]]:
    answers = _AnswerIds(form, tokenizer, limits.max_target_tokens)
    sources = [form.source(instance, tokenizer=tokenizer, limits=limits) for instance in instances]
    targets = [answers.of(instance.targets) for instance in instances]
    if answers.num_cut:
        message = "answers of more than model.max_target_tokens=%d tokens: %d; what is behind that is not learnt"
        log.warning(message, limits.max_target_tokens, answers.num_cut)
    free = dict.fromkeys(text for instance in instances if not instance.candidates for text in instance.targets)
    if altered := [text for text in free if not answers.can_be_written(text)]:
        log.warning(
            "%d of %d answers, such as '%s', are other texts when this tokenizer has written them: exact match counts "
            "them as wrong; choose a model whose tokenizer keeps case and punctuation, such as flan_t5_small",
            len(altered),
            len(free),
            altered[0][:60],
        )
    return {
        "source": [ids for ids, _ in sources],
        "targets": targets,
        "candidates": [answers.distinct(instance) for instance in instances],
        "length": [len(ids) for ids, _ in sources],
        "cut": [cut for _, cut in sources],
    }


def _check_cut(split: TokenisedSplit, *, limits: TokenLimits) -> None:
    check_truncation(
        split.instances,
        list(split.tokens["cut"]),
        subject="the prompt",
        max_tokens=limits.max_source_tokens,
        most=limits.max_truncated_fraction,
        loses="beginning",
    )


class _AnswerIds:
    """Ids of short answers, each tokenised once: closed sets repeat in every instance."""

    def __init__(self, form: PromptForm, tokenizer: PreTrainedTokenizerBase, limit: int) -> None:
        self._form, self._tokenizer, self._limit = form, tokenizer, limit
        self.num_cut = 0  # of different answers, those that are too long
        self._known: dict[str, list[int]] = {}
        self._sets: dict[tuple[str, ...], list[list[int]]] = {}

    def can_be_written(self, text: str) -> bool:
        """Tell whether the tokenizer gives the text back, case and punctuation aside."""
        ids = self._ids(text, limit=_NO_LIMIT)[:-1]
        written = self._form.answer_text(self._tokenizer.decode(ids, skip_special_tokens=True))
        return normalise(written) == normalise(text)

    def of(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._one(text) for text in texts]

    def distinct(self, instance: Instance) -> list[list[int]]:
        """Return the closed set's ids, whole; DataError where one is too long, or two look the same to the model."""
        if instance.candidates not in self._sets:
            self._sets[instance.candidates] = self._checked(instance)
        return self._sets[instance.candidates]

    def _checked(self, instance: Instance) -> list[list[int]]:
        texts: dict[tuple[int, ...], str] = {}
        sets = [self._ids(text, limit=_NO_LIMIT) for text in instance.candidates]
        for text, tokens in zip(instance.candidates, sets, strict=True):
            if len(tokens) > self._limit:
                raise DataError(
                    f"{instance.instance_id}: the answer '{text}' has {len(tokens)} tokens, more than "
                    f"model.max_target_tokens={self._limit}; raise that"
                )
            other = texts.setdefault(tuple(tokens), text)
            if other != text:
                raise DataError(
                    f"{instance.instance_id}: the answers '{other}' and '{text}' are the same tokens to the model: "
                    "call one of them otherwise"
                )
        return sets

    def _one(self, text: str) -> list[int]:
        if text not in self._known:
            ids = self._ids(text, limit=_NO_LIMIT)
            self.num_cut += len(ids) > self._limit
            self._known[text] = [*ids[:-1][: self._limit - 1], ids[-1]]
        return self._known[text]

    def _ids(self, text: str, *, limit: int) -> list[int]:
        """Return an answer's ids, closed by the end token."""
        return [*self._form.answer(text, tokenizer=self._tokenizer)[: limit - 1], end_token(self._tokenizer)]
