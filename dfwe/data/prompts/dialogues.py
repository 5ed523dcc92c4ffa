"""The six forms of FETA-Friends' questions about dialogues, with its wording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.context import cut_around, cut_start, question_of, render, select, turn_texts
from dfwe.data.prompts.fields import (
    annotations_of,
    check_label,
    dialogue_name,
    field,
    gold,
    identify,
    is_annotated,
    number_of,
    record,
    records,
    text_of,
    texts_of,
)
from dfwe.data.readers.base import Dialogue
from dfwe.errors import DataError
from dfwe.records import Instance

_PHRASE_WORDS = 4


@dataclass(frozen=True)
class Emotion(Prompt):
    """`context: {turns up to and including this one} emotion:`, an instance for each annotated turn.

    Where `unlabelled`, a dialogue in which no turn is annotated is asked about every turn.
    """

    labels: Sequence[str]

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances turn by turn; see Prompt."""
        ask_all = self.unlabelled and not any(self.task in turn for turn in dialogue["dialogue"])
        for turn_id, turn, texts in _turns(dialogue, prompt=self):
            if not ask_all and self.task not in turn:
                continue
            annotation = record(turn, key=self.task, where=turn_id) if self.task in turn else {}
            instance_id, where = identify(annotation, dialogue=dialogue, derived=turn_id)
            answer = gold(annotation, key="label", labels=self.labels, unlabelled=self.unlabelled, where=where)
            context = render(cut_start(texts, max_words=max_words))
            yield question_of(
                dialogue, instance_id, context=context, prompt=" emotion:", answer=answer, candidates=self.labels
            )


@dataclass(frozen=True)
class CharacterIdentification(Prompt):
    """`context: {turns up to this one} Out of {a or b}, '{mention}' in the phrase '{words}' refers to`."""

    labels: Sequence[str]

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances turn by turn, mention by mention; see Prompt."""
        for turn_id, turn, texts in _turns(dialogue, prompt=self):
            mentions = records(turn, key=self.task, where=turn_id) if self.task in turn else []
            context = render(cut_start(texts, max_words=max_words))
            for place, mention in enumerate(mentions):
                instance_id, where = identify(mention, dialogue=dialogue, derived=f"{turn_id}_mention{place}")
                key = "normalized_entity"
                answer = gold(mention, key=key, labels=self.labels, unlabelled=self.unlabelled, where=where)
                prompt = self._prompt(mention, utterance=turn["utterance"], where=where)
                yield question_of(
                    dialogue, instance_id, context=context, prompt=prompt, answer=answer, candidates=self.labels
                )

    def _prompt(self, mention: Mapping[str, Any], *, utterance: str, where: str) -> str:
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
    return " ".join(through[-_PHRASE_WORDS:] if len(through) > len(onwards) else onwards[:_PHRASE_WORDS])


@dataclass(frozen=True)
class ReadingComprehension(Prompt):
    """`context: {dialogue} question: {query} Out of {a or b}, [PLACEHOLDER] is `, with the blank at its end.

    The candidates are the scene's entities as the dialogue's metadata lists them.
    """

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances in the order of the file; see Prompt."""
        context = render(cut_start(turn_texts(dialogue), max_words=max_words))
        for number, query in enumerate(annotations_of(dialogue, task=self.task, unlabelled=self.unlabelled)):
            derived = f"{dialogue['dialogue_id']}_qa{number}"
            instance_id, where = identify(query, dialogue=dialogue, derived=derived)
            entities = self._entities(dialogue, where=where)
            answer = self._answer(query, entities=entities, where=where)
            text = text_of(query, key="query", where=where)
            prompt = f" question: {text} Out of {' or '.join(entities)}, [PLACEHOLDER] is "
            yield question_of(dialogue, instance_id, context=context, prompt=prompt, answer=answer, candidates=entities)

    def _entities(self, dialogue: Dialogue, *, where: str) -> tuple[str, ...]:
        metadata = field(dialogue, key="dialogue_metadata", where=where)
        of_task = field(metadata, key=self.task, where=f"{where}: dialogue_metadata")
        entities = texts_of(of_task, key="scene_entities", where=f"{where}: dialogue_metadata.{self.task}")
        if not entities:
            raise DataError(f"{where}: dialogue_metadata.{self.task}.scene_entities names nobody to choose from")
        return entities

    def _answer(self, query: Mapping[str, Any], *, entities: Sequence[str], where: str) -> tuple[str, ...]:
        if self.unlabelled and query.get("answer") is None:
            return ()
        answer = field(query, key="answer", where=where)
        # the reference only asks that the answer occurs in the joined list, as part of a longer name for instance
        if not isinstance(answer, str) or answer not in " or ".join(entities):
            raise DataError(f"{where}: unknown label '{answer}', expected one of {', '.join(entities)}")
        return (answer,)


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
            derived = f"{dialogue['dialogue_id']}_qa{place}"
            instance_id, where = identify(question, dialogue=dialogue, derived=derived)
            answers = self._answers(question, where=where)
            alternatives = tuple(text_of(answer, key="text", where=where) for answer in answers)
            if answers:
                turn = number_of(answers[-1], key="answer_utterance_id", where=where)
                context = render(cut_around(texts, turn=turn, max_words=max_words))
            else:
                context = render(cut_start(texts, max_words=max_words))
            prompt = f" question: {text_of(question, key='question', where=where)} answer:"
            yield question_of(dialogue, instance_id, context=context, prompt=prompt, answer=alternatives)

    def _answers(self, question: Mapping[str, Any], *, where: str) -> Sequence[Mapping[str, Any]]:
        if self.unlabelled and not question.get("answers"):
            return []
        answers = records(question, key="answers", where=where)
        if not answers:
            raise DataError(f"{where}: 'answers' is empty")
        return answers


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
            speaker = text_of(sample, key="focus_speaker", where=dialogue_name(dialogue))
            sample_id, where = identify(sample, dialogue=dialogue, derived=_join(dialogue, speaker))
            turns = select(texts, sample=sample, unlabelled=self.unlabelled, where=where)
            context = render(cut_start(turns, max_words=max_words))
            values = self._values(sample, where=where)
            for trait in values:
                answer = gold(values, key=trait, labels=self.labels, unlabelled=self.unlabelled, where=where)
                instance_id, prompt = f"{sample_id}_{trait}", f" {speaker} is {trait}:"
                yield question_of(
                    dialogue, instance_id, context=context, prompt=prompt, answer=answer, candidates=self.labels
                )

    def _values(self, sample: Mapping[str, Any], *, where: str) -> Mapping[str, Any]:
        if self.unlabelled and not sample.get("personality_characteristics"):
            return dict.fromkeys(self.traits)
        return record(sample, key="personality_characteristics", where=where)


@dataclass(frozen=True)
class RelationExtraction(Prompt):
    """`context: {the sample's turns} {head} has the following relations with {tail}:`, one for each pair.

    The target is the relations' natural names joined by " and "; the references are their codes.
    """

    names: Mapping[str, str]  # code to natural name

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances in the order of the file, pair by pair; see Prompt."""
        texts, name = turn_texts(dialogue), dialogue_name(dialogue)
        for sample in annotations_of(dialogue, task=self.task, unlabelled=self.unlabelled):
            turns = select(texts, sample=sample, unlabelled=self.unlabelled, where=name)
            context = render(cut_start(turns, max_words=max_words))
            for pair in records(sample, key="relation_triples", where=name):
                head, tail = (text_of(pair, key=key, where=name) for key in ("head", "tail"))
                instance_id, where = identify(pair, dialogue=dialogue, derived=_join(dialogue, head, tail))
                codes = self._codes(pair, where=where)
                answer = (" and ".join(self.names[code] for code in codes),) if codes else ()
                prompt = f" {head} has the following relations with {tail}:"
                instance = question_of(dialogue, instance_id, context=context, prompt=prompt, answer=answer)
                yield replace(instance, references=codes)

    def _codes(self, pair: Mapping[str, Any], *, where: str) -> tuple[str, ...]:
        if self.unlabelled and not pair.get("relations"):
            return ()
        codes = texts_of(pair, key="relations", where=where)
        if not codes:
            raise DataError(f"{where}: 'relations' is empty")
        for code in codes:
            check_label(code, labels=self.names, where=where)
        return codes


def _turns(dialogue: Dialogue, *, prompt: Prompt) -> Iterator[tuple[str, Mapping[str, Any], Sequence[str]]]:
    """Yield each turn with its id and the texts up to it, none if the dialogue is not part of the task."""
    if is_annotated(dialogue, task=prompt.task, unlabelled=prompt.unlabelled):
        texts = turn_texts(dialogue)
        for position, turn in enumerate(dialogue["dialogue"]):
            turn_id = f"{dialogue['dialogue_id']}_t{turn.get('turn_id', position)}"
            yield turn_id, turn, texts[: position + 1]


def _join(dialogue: Dialogue, *names: str) -> str:
    return "_".join([dialogue["dialogue_id"], *(name.replace(" ", "-") for name in names)])
