"""Character identification: whom does a mention in a turn refer to, given the dialogue up to it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.context import cut_start, render, turn_texts
from dfwe.data.prompts.fields import gold, is_annotated, location, number_of, own_id, records, text_of
from dfwe.data.readers.base import Dialogue
from dfwe.records import Instance

_PHRASE_WORDS = 4


@dataclass(frozen=True)
class CharacterIdentification(Prompt):
    """`context: {turns up to this one} Out of {a or b}, '{mention}' in the phrase '{words}' refers to`."""

    labels: Sequence[str]

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances turn by turn, mention by mention; see Prompt."""
        if not is_annotated(dialogue, task=self.task, unlabelled=self.unlabelled):
            return
        texts = turn_texts(dialogue)
        for position, turn in enumerate(dialogue["dialogue"]):
            turn_id = f"{dialogue['dialogue_id']}_t{turn.get('turn_id', position)}"
            mentions = records(turn, key=self.task, where=turn_id) if self.task in turn else []
            context = render(cut_start(texts[: position + 1], max_words=max_words))
            for place, mention in enumerate(mentions):
                instance_id = own_id(mention, derived=f"{turn_id}_mention{place}", where=turn_id)
                where = location(dialogue, instance_id=instance_id)
                answer = gold(
                    mention,
                    key="normalized_entity",
                    labels=self.labels,
                    unlabelled=self.unlabelled,
                    where=where,
                )
                yield Instance(
                    instance_id=instance_id,
                    dialogue_id=dialogue["dialogue_id"],
                    context=context,
                    prompt=self._question(mention, utterance=turn["utterance"], where=where),
                    targets=answer,
                    references=answer,
                    candidates=tuple(self.labels),
                )

    def _question(self, mention: Mapping[str, Any], *, utterance: str, where: str) -> str:
        named = text_of(mention, key="entity_reference", where=where)
        words = phrase(utterance, start=number_of(mention, key="start", where=where), length=len(named))
        return f" Out of {' or '.join(self.labels)}, '{named}' in the phrase '{words}' refers to"


def phrase(utterance: str, *, start: int, length: int) -> str:
    """Return at most 4 words around a mention that begins at character `start` and is `length` characters long.

    The words through the mention, or those from it on, whichever are more; a tie goes to those from it on.
    The reference reads one character past the mention, so that a comma right after it stays with its word.
    """
    through = utterance[: start + length + 1].split()
    onwards = utterance[start:].split()
    words = through[-_PHRASE_WORDS:] if len(through) > len(onwards) else onwards[:_PHRASE_WORDS]
    return " ".join(words)
