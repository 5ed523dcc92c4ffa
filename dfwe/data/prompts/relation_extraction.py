"""Relation extraction: which relations hold between two names in a piece of dialogue?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.context import cut_start, render, select, turn_texts
from dfwe.data.prompts.fields import (
    annotations_of,
    check_label,
    dialogue_name,
    hyphenated,
    location,
    own_id,
    records,
    text_of,
    texts_of,
)
from dfwe.data.readers.base import Dialogue
from dfwe.errors import DataError
from dfwe.records import Instance


@dataclass(frozen=True)
class RelationExtraction(Prompt):
    """`context: {the sample's turns} {head} has the following relations with {tail}:`, one for each pair.

    The target is the relations' natural names joined by " and "; the references are their codes.
    """

    names: Mapping[str, str]  # code to natural name

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances in the order of the file, pair by pair; see Prompt."""
        texts = turn_texts(dialogue)
        name = dialogue_name(dialogue)
        for sample in annotations_of(dialogue, task=self.task, unlabelled=self.unlabelled):
            turns = select(texts, sample=sample, unlabelled=self.unlabelled, where=name)
            context = render(cut_start(turns, max_words=max_words))
            for pair in records(sample, key="relation_triples", where=name):
                head, tail = (text_of(pair, key=key, where=name) for key in ("head", "tail"))
                derived_id = f"{dialogue['dialogue_id']}_{hyphenated(head)}_{hyphenated(tail)}"
                instance_id = own_id(pair, derived=derived_id, where=name)
                where = location(dialogue, instance_id=instance_id)
                codes = self._codes(pair, where=where)
                yield Instance(
                    instance_id=instance_id,
                    dialogue_id=dialogue["dialogue_id"],
                    context=context,
                    prompt=f" {head} has the following relations with {tail}:",
                    targets=(" and ".join(self.names[code] for code in codes),) if codes else (),
                    references=codes,
                )

    def _codes(self, pair: Mapping[str, Any], *, where: str) -> tuple[str, ...]:
        if self.unlabelled and not pair.get("relations"):
            return ()
        codes = texts_of(pair, key="relations", where=where)
        if not codes:
            raise DataError(f"{where}: 'relations' is empty")
        for code in codes:
            check_label(code, labels=tuple(self.names), where=where)
        return codes
