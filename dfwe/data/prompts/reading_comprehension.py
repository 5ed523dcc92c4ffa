"""Reading comprehension: which of a scene's entities fills the gap in a sentence about it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.context import cut_start, render, turn_texts
from dfwe.data.prompts.fields import annotations_of, dialogue_name, field, location, own_id, text_of, texts_of
from dfwe.data.readers.base import Dialogue
from dfwe.errors import DataError
from dfwe.records import Instance


@dataclass(frozen=True)
class ReadingComprehension(Prompt):
    """`context: {dialogue} question: {query} Out of {a or b}, [PLACEHOLDER] is `, with the blank at its end.

    The candidates are the scene's entities as the dialogue's metadata lists them.
    """

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances in the order of the file; see Prompt."""
        queries = annotations_of(dialogue, task=self.task, unlabelled=self.unlabelled)
        context = render(cut_start(turn_texts(dialogue), max_words=max_words))
        for number, query in enumerate(queries):
            derived = f"{dialogue['dialogue_id']}_qa{number}"
            instance_id = own_id(query, derived=derived, where=dialogue_name(dialogue))
            where = location(dialogue, instance_id=instance_id)
            entities = self._entities(dialogue, where=where)
            answer = _answer(query, entities=entities, unlabelled=self.unlabelled, where=where)
            text = text_of(query, key="query", where=where)
            yield Instance(
                instance_id=instance_id,
                dialogue_id=dialogue["dialogue_id"],
                context=context,
                prompt=f" question: {text} Out of {' or '.join(entities)}, [PLACEHOLDER] is ",
                targets=answer,
                references=answer,
                candidates=entities,
            )

    def _entities(self, dialogue: Dialogue, *, where: str) -> tuple[str, ...]:
        metadata = field(dialogue, key="dialogue_metadata", where=where)
        of_task = field(metadata, key=self.task, where=f"{where}: dialogue_metadata")
        entities = texts_of(of_task, key="scene_entities", where=f"{where}: dialogue_metadata.{self.task}")
        if not entities:
            raise DataError(f"{where}: dialogue_metadata.{self.task}.scene_entities names nobody to choose from")
        return entities


def _answer(query: Mapping[str, Any], *, entities: Sequence[str], unlabelled: bool, where: str) -> tuple[str, ...]:
    if unlabelled and query.get("answer") is None:
        return ()
    answer = field(query, key="answer", where=where)
    # the reference only asks that the answer occurs in the joined list, as part of a longer name for instance
    if not isinstance(answer, str) or answer not in " or ".join(entities):
        raise DataError(f"{where}: unknown label '{answer}', expected one of {', '.join(entities)}")
    return (answer,)
