"""Emotion recognition: which emotion does a turn show, given the dialogue up to it?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.context import cut_start, render, turn_texts
from dfwe.data.prompts.fields import gold, is_annotated, location, own_id, record
from dfwe.data.readers.base import Dialogue
from dfwe.records import Instance


@dataclass(frozen=True)
class Emotion(Prompt):
    """`context: {turns up to and including this one} emotion:`, an instance for each annotated turn.

    Where `unlabelled`, a dialogue in which no turn is annotated is asked about every turn.
    """

    labels: Sequence[str]

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances turn by turn; see Prompt."""
        if not is_annotated(dialogue, task=self.task, unlabelled=self.unlabelled):
            return
        texts = turn_texts(dialogue)
        turns = dialogue["dialogue"]
        ask_all = self.unlabelled and not any(self.task in turn for turn in turns)
        for position, turn in enumerate(turns):
            if not ask_all and self.task not in turn:
                continue
            derived_id = f"{dialogue['dialogue_id']}_t{turn.get('turn_id', position)}"
            annotation = record(turn, key=self.task, where=derived_id) if self.task in turn else {}
            instance_id = own_id(annotation, derived=derived_id, where=derived_id)
            where = location(dialogue, instance_id=instance_id)
            answer = gold(annotation, key="label", labels=self.labels, unlabelled=self.unlabelled, where=where)
            yield Instance(
                instance_id=instance_id,
                dialogue_id=dialogue["dialogue_id"],
                context=render(cut_start(texts[: position + 1], max_words=max_words)),
                prompt=" emotion:",
                targets=answer,
                references=answer,
                candidates=tuple(self.labels),
            )
