"""Question answering: which words of the dialogue answer a question about it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.context import cut_around, cut_start, render, turn_texts
from dfwe.data.prompts.fields import annotations_of, dialogue_name, location, number_of, own_id, records, text_of
from dfwe.data.readers.base import Dialogue
from dfwe.errors import DataError
from dfwe.records import Instance


@dataclass(frozen=True)
class QuestionAnswering(Prompt):
    """`context: {dialogue} question: {question} answer:`.

    The texts of all answers, repeated ones too, are targets and references, in their order. A long dialogue
    is cut around the turn of its *last* answer: the reference cuts it for each answer in turn and keeps the
    last result.
    """

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances in the order of the file; see Prompt."""
        texts = turn_texts(dialogue)
        groups = annotations_of(dialogue, task=self.task, unlabelled=self.unlabelled)
        name = dialogue_name(dialogue)
        questions = [question for group in groups for question in records(group, key="qas", where=name)]
        for place, question in enumerate(questions):
            instance_id = own_id(question, derived=f"{dialogue['dialogue_id']}_qa{place}", where=name)
            where = location(dialogue, instance_id=instance_id)
            answers = self._answers(question, where=where)
            alternatives = tuple(text_of(answer, key="text", where=where) for answer in answers)
            yield Instance(
                instance_id=instance_id,
                dialogue_id=dialogue["dialogue_id"],
                context=render(_cut(texts, answers=answers, max_words=max_words, where=where)),
                prompt=f" question: {text_of(question, key='question', where=where)} answer:",
                targets=alternatives,
                references=alternatives,
            )

    def _answers(self, question: Mapping[str, Any], *, where: str) -> Sequence[Mapping[str, Any]]:
        if self.unlabelled and not question.get("answers"):
            return []
        answers = records(question, key="answers", where=where)
        if not answers:
            raise DataError(f"{where}: 'answers' is empty")
        return answers


def _cut(texts: Sequence[str], *, answers: Sequence[Mapping[str, Any]], max_words: int, where: str) -> Sequence[str]:
    if not answers:
        return cut_start(texts, max_words=max_words)
    turn = number_of(answers[-1], key="answer_utterance_id", where=where)
    return cut_around(texts, turn=turn, max_words=max_words)
