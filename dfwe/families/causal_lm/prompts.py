"""Prompts and answers as a decoder-only model reads them: one text, plain or by the tokenizer's chat template."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from dfwe.errors import ModelError
from dfwe.families.text.tokenization import PromptForm, TokenLimits
from dfwe.records import Instance

_CONTENT = "\N{OBJECT REPLACEMENT CHARACTER}content\N{OBJECT REPLACEMENT CHARACTER}"  # stands for the prompt
_STUB = ":"  # an answer never begins a text
_CLOCK = "strftime_now"  # by which templates write today's date; Llama's template has this date where there is no clock
_NO_CLOCK = f"{{%- macro {_CLOCK}(format) -%}}26 Jul 2024{{%- endmacro -%}}"


@dataclass(frozen=True)
class CausalForm(PromptForm):
    """How a prompt and its answer become one text.

    With `chat_template` the prompt is a user's turn of the tokenizer's chat template, and the answer is the turn of the
    assistant that follows. Without it the prompt stands as it is, and the answer follows after `target_delimiter`.
    """

    chat_template: bool
    target_delimiter: str

    def spec(self) -> dict[str, Any]:
        """Return both settings."""
        return asdict(self)

    def tokens_spec(self, tokenizer: Any) -> dict[str, Any]:
        """Return both settings, the end token, and what stands around a prompt."""
        return {**super().tokens_spec(tokenizer), "frame": self.frame(tokenizer)}

    def source(self, instance: Instance, *, tokenizer: Any, limits: TokenLimits) -> tuple[list[int], int]:
        """Return the prompt's ids within the limit, and how many tokens the prompt proper lost.

        What is too long loses its oldest tokens; the template stays whole. An end token that the tokenizer appends is
        left out: the answer follows.

        Raises:
            ModelError: the tokenizer has no chat template, or one that has no place for a prompt.
        """
        before, after = self.frame(tokenizer)
        text = f"{before}{instance.source}{after}"
        special = not self.chat_template  # a template writes its own
        encoded = tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
        ids: list[int] = encoded["input_ids"]
        ids = ids[: len(ids) - (_num_appended(tokenizer) if special else 0)]
        excess = len(ids) - limits.max_source_tokens
        if excess <= 0:
            return ids, 0
        begin, end = len(before), len(before) + len(instance.source)
        spans = encoded["offset_mapping"]
        droppable = [i for i, (first, last) in enumerate(spans) if begin <= first < last <= end]
        num_context = sum(spans[i][0] < begin + len(instance.context) for i in droppable)
        dropped = set(droppable[:excess])
        kept = [token for i, token in enumerate(ids) if i not in dropped]
        return kept, max(0, excess - num_context)

    def answer(self, text: str, *, tokenizer: Any) -> list[int]:
        """Return an answer's ids as they follow a prompt.

        Some tokenizers put a blank before every text: an answer's ids are those that it adds to a text before it.
        """
        delimiter = "" if self.chat_template else self.target_delimiter
        stub: list[int] = tokenizer(_STUB, add_special_tokens=False)["input_ids"]
        both: list[int] = tokenizer(f"{_STUB}{delimiter}{text}", add_special_tokens=False)["input_ids"]
        if both[: len(stub)] == stub and len(both) > len(stub):
            return both[len(stub) :]
        ids: list[int] = tokenizer(f"{delimiter}{text}", add_special_tokens=False)["input_ids"]
        return ids

    def answer_text(self, text: str) -> str:
        """Return the answer without blanks around it."""
        return text.strip()

    def frame(self, tokenizer: Any) -> tuple[str, str]:
        """Return what stands before and after a prompt."""
        if not self.chat_template:
            return "", ""
        if tokenizer.chat_template is None:
            raise ModelError(
                "model.family.chat_template=true: the tokenizer has no chat template; set model.family."
                "chat_template=false"
            )
        turns = [{"role": "user", "content": _CONTENT}]
        template = tokenizer.get_chat_template()
        template = f"{_NO_CLOCK}{template}" if _CLOCK in template else template
        text: str = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, chat_template=template
        )
        if text.count(_CONTENT) != 1:
            raise ModelError(
                "the tokenizer's chat template has no single place for a prompt; set model.family.chat_template=false"
            )
        before, after = text.split(_CONTENT)
        return before, after


@lru_cache(maxsize=1)  # asked for every prompt of a split
def _num_appended(tokenizer: Any) -> int:
    """Return how many special tokens the tokenizer puts behind a text."""
    mask: list[int] = tokenizer(_STUB, return_special_tokens_mask=True)["special_tokens_mask"]
    return mask[::-1].index(0)
