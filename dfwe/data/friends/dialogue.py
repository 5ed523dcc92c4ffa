"""Conversion of a scene to a dialogue in the TLiDB format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dfwe.data.friends.annotations import QuestionAnswer, RelationPair
from dfwe.data.friends.scene import ALL, CODES, Line, Scene
from dfwe.data.friends.tasks import CHARACTERS, EMORY, MAIN, MELD, PERSONALITY, QUERIES, QUESTIONS, RELATIONS, TASKS
from dfwe.data.friends.words import detokenise

Dialogue = dict[str, Any]

_ARTICLES = ("the", "a", "an")
_FULL = {name.split()[0]: name for name in MAIN}


def dialogue_of(scene: Scene) -> Dialogue:
    """Return the dialogue with the annotations of all tasks; ids follow the benchmark, repeated ones are numbered."""
    return _DialogueWriter(scene).dialogue()


def count(dialogue: Mapping[str, Any]) -> Counter[str]:
    """Count the instances of each task."""
    counts: Counter[str] = Counter()
    for turn in dialogue["dialogue"]:
        counts.update({task: 1 for task in (MELD, EMORY) if task in turn})
        counts[CHARACTERS] += len(turn.get(CHARACTERS, ()))
    counts[QUERIES] = len(dialogue.get(QUERIES, ()))
    counts[QUESTIONS] = sum(len(group["qas"]) for group in dialogue.get(QUESTIONS, ()))
    counts[PERSONALITY] = sum(len(s["personality_characteristics"]) for s in dialogue.get(PERSONALITY, ()))
    counts[RELATIONS] = sum(len(sample["relation_triples"]) for sample in dialogue.get(RELATIONS, ()))
    return counts


class _DialogueWriter:
    """A scene with the numbers of its lines, the names behind its codes, and the ids of its instances so far."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._names = scene, names_of(scene)
        self._numbers = {line: number for number, line in enumerate(scene.lines)}
        self._ids: Counter[str] = Counter()

    def dialogue(self) -> Dialogue:
        samples = {
            QUERIES: self._queries(),
            QUESTIONS: self._questions(),
            PERSONALITY: self._personality(),
            RELATIONS: self._relations(),
        }
        turns = [self._turn(line, number=number) for line, number in self._numbers.items()]
        present = [task for task in TASKS if samples.get(task) or any(task in turn for turn in turns)]
        entities = {"scene_entities": self._names.entities(self._scene.codes)}
        return {
            "dialogue_id": self._scene.scene_id,
            "dialogue_metadata": {task: entities if task == QUERIES else None for task in present},
            "dialogue": turns,
            **{task: sample for task, sample in samples.items() if sample},
        }

    def _turn(self, line: Line, *, number: int) -> Dialogue:
        speakers = [self._names.speaker(name) for name in line.speakers]
        turn: Dialogue = {"turn_id": number, "speakers": speakers, "utterance": self._names.text(line.text)}
        for task in (EMORY, MELD):
            if task in line.annotations:
                turn[task] = {**line.annotations[task], "instance_id": f"{self._scene.scene_id}_t{number}"}
        mentions = enumerate(line.annotations.get(CHARACTERS, []))
        named = [{**mention, "instance_id": self._id(f"t{number}", f"mention{k}")} for k, mention in mentions]
        return turn | {CHARACTERS: named} if named else turn

    def _queries(self) -> list[Dialogue]:
        names = self._names
        return [
            {"query": names.query(query.text), "answer": names.entity(query.answer), "instance_id": self._id(f"qa{n}")}
            for n, query in enumerate(self._scene.samples[QUERIES])
        ]

    def _questions(self) -> list[Dialogue]:
        qas = [
            {
                "question": question.text,
                "answers": [self._answer(answer, line=line) for line, answer in answers],
                "instance_id": self._id(question.question_id.removeprefix(f"{self._scene.scene_id}_")),
            }
            for question, answers in self._scene.samples[QUESTIONS]
        ]
        return [{"qas": qas}] if qas else []

    def _answer(self, answer: QuestionAnswer, *, line: Line) -> Dialogue:
        return {
            "text": answer.text,
            "answer_start": -1 if answer.is_speaker else line.text.find(answer.text),
            "answer_utterance_id": self._numbers[line],
            "is_speaker": answer.is_speaker,
        }

    def _personality(self) -> list[Dialogue]:
        return [
            {
                "turns": self._turn_ids(lines),
                "focus_speaker": sample.character,
                "personality_characteristics": dict(sample.traits),
                "instance_id": self._id(sample.character),
            }
            for sample, lines in self._scene.samples[PERSONALITY]
        ]

    def _relations(self) -> list[Dialogue]:
        return [
            {"turns": self._turn_ids(lines), "relation_triples": [self._triple(pair) for pair in pairs]}
            for pairs, lines in self._scene.samples[RELATIONS]
        ]

    def _triple(self, pair: RelationPair) -> Dialogue:
        relations, instance_id = list(pair.relations), self._id(pair.head, pair.tail)
        return {"head": pair.head, "tail": pair.tail, "relations": relations, "instance_id": instance_id}

    def _turn_ids(self, lines: Iterable[Line]) -> list[int]:
        return sorted(self._numbers[line] for line in lines)

    def _id(self, *parts: str) -> str:
        """Return a new id: the dialogue's, then the parts of the instance's name, numbered where it comes again."""
        name = "_".join((self._scene.scene_id, *(part.replace(" ", "-") for part in parts)))
        self._ids[name] += 1
        return name if self._ids[name] == 1 else f"{name}_{self._ids[name]}"


@dataclass(frozen=True)
class Names:
    """Names behind a scene's codes; unknown codes stay unchanged."""

    full: Mapping[str, str]

    def speaker(self, name: str) -> str:
        """Return a speaker's full name."""
        return self.full.get(name, _FULL.get(name, name))

    def text(self, text: str) -> str:
        """Return a text with first names for codes."""
        return CODES.sub(lambda match: _first(self.full.get(match.group(), match.group())), text)

    def entity(self, code: str) -> str:
        """Return the name as in the benchmark's list of a scene's entities: the first name in lower case."""
        return _first(self.full.get(code, code)).lower()

    def entities(self, codes: Iterable[str]) -> list[str]:
        """Return the sorted names of the entities that are persons."""
        return sorted({self.entity(code) for code in codes if self.full.get(code) != ALL})

    def query(self, text: str) -> str:
        """Return a query of tokens and codes as normal text."""
        return detokenise(self.text(text).replace("@placeholder", "[PLACEHOLDER]"))


def names_of(scene: Scene) -> Names:
    """Elect a name for each code by votes; names with the same first word vote together."""
    return Names({code: _elected(votes) for code, votes in scene.names.items() if votes})


def _elected(votes: Counter[str]) -> str:
    together: Counter[str] = Counter()
    for name, count in votes.items():
        together[_first(name).lower()] += count
    winner = max(together, key=lambda first: (together[first], first))
    names = [name for name in votes if _first(name).lower() == winner]
    name = max(names, key=lambda name: (votes[name], name))
    # a release that gives first names only has no say in what the full one is
    return _FULL.get(name, name)


def _first(name: str) -> str:
    words = name.split()
    return name if words[0].lower() in _ARTICLES else words[0]
