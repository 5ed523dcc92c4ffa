"""Personality detection: does a character show a trait in a piece of dialogue?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.context import cut_start, render, select, turn_texts
from dfwe.data.prompts.fields import annotations_of, dialogue_name, gold, hyphenated, location, own_id, record, text_of
from dfwe.data.readers.base import Dialogue
from dfwe.records import Instance


@dataclass(frozen=True)
class Personality(Prompt):
    """`context: {the sample's turns} {character} is {trait}:`, an instance for each trait of a sample.

    The traits and their order are the sample's own; `traits` is for samples without, where `unlabelled`.
    """

    labels: Sequence[str]
    traits: Sequence[str]

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances in the order of the file, trait by trait; see Prompt."""
        texts = turn_texts(dialogue)
        for sample in annotations_of(dialogue, task=self.task, unlabelled=self.unlabelled):
            name = dialogue_name(dialogue)
            speaker = text_of(sample, key="focus_speaker", where=name)
            derived = f"{dialogue['dialogue_id']}_{hyphenated(speaker)}"
            sample_id = own_id(sample, derived=derived, where=name)
            where = location(dialogue, instance_id=sample_id)
            turns = select(texts, sample=sample, unlabelled=self.unlabelled, where=where)
            context = render(cut_start(turns, max_words=max_words))
            values = self._values(sample, where=where)
            for trait in values:
                answer = gold(values, key=trait, labels=self.labels, unlabelled=self.unlabelled, where=where)
                yield Instance(
                    instance_id=f"{sample_id}_{trait}",
                    dialogue_id=dialogue["dialogue_id"],
                    context=context,
                    prompt=f" {speaker} is {trait}:",
                    targets=answer,
                    references=answer,
                    candidates=tuple(self.labels),
                )

    def _values(self, sample: Mapping[str, Any], *, where: str) -> Mapping[str, Any]:
        if self.unlabelled and not sample.get("personality_characteristics"):
            return dict.fromkeys(self.traits)
        return record(sample, key="personality_characteristics", where=where)
