"""Prompts of tasks whose documents are scored as they are: no question is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dfwe.data.prompts.base import Prompt
from dfwe.data.readers.base import Dialogue
from dfwe.records import Instance


@dataclass(frozen=True, kw_only=True)
class Passage(Prompt):
    """A document, as its reader gives it: its `text`, and its gold answer `target` where it has one."""

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the document; `max_words` has no effect, as a document is never cut here. See Prompt."""
        name, text = dialogue["dialogue_id"], dialogue["text"]
        gold = (dialogue.get("target", text),)
        yield Instance(name, dialogue_id=name, context="", prompt=text, targets=gold, references=gold)
