"""Conversion of a scene to a dialogue in the TLiDB format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dfwe.data.friends.annotations import CHARACTERS, EMORY, MELD, PERSONALITY, QUERIES, QUESTIONS, RELATIONS, TASKS
from dfwe.data.friends.names import Names, names_of
from dfwe.data.friends.scene import Line, Scene

Dialogue = dict[str, Any]


def dialogue_of(scene: Scene) -> Dialogue:
    """Return the dialogue with the annotations of all tasks; ids follow the benchmark, repeated ones are numbered."""
    names, unique = names_of(scene), _Unique(scene.scene_id)
    numbers = {line: number for number, line in enumerate(scene.lines)}
    samples = {
        QUERIES: _queries(scene, names=names, unique=unique),
        QUESTIONS: _questions(scene, numbers=numbers, unique=unique),
        PERSONALITY: _personality(scene, numbers=numbers, unique=unique),
        RELATIONS: _relations(scene, numbers=numbers, unique=unique),
    }
    turns = [_turn(line, number=number, names=names, unique=unique) for number, line in enumerate(scene.lines)]
    present = [task for task in TASKS if samples.get(task) or any(task in turn for turn in turns)]
    return {
        "dialogue_id": scene.scene_id,
        "dialogue_metadata": {task: _metadata(scene, names=names) if task == QUERIES else None for task in present},
        "dialogue": turns,
        **{task: sample for task, sample in samples.items() if sample},
    }


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


class _Unique:
    """Unique instance ids of one dialogue: its id, then the parts of the instance's name."""

    def __init__(self, scene_id: str) -> None:
        self.scene_id = scene_id
        self._seen: Counter[str] = Counter()

    def __call__(self, *parts: str) -> str:
        name = "_".join((self.scene_id, *(part.replace(" ", "-") for part in parts)))
        self._seen[name] += 1
        return name if self._seen[name] == 1 else f"{name}_{self._seen[name]}"


def _turn(line: Line, *, number: int, names: Names, unique: _Unique) -> Dialogue:
    turn: Dialogue = {
        "turn_id": number,
        "speakers": [names.speaker(name) for name in line.speakers],
        "utterance": names.text(line.text),
    }
    for task in (EMORY, MELD):
        if task in line.annotations:
            turn[task] = {**line.annotations[task], "instance_id": f"{unique.scene_id}_t{number}"}
    mentions = line.annotations.get(CHARACTERS, [])
    if mentions:
        turn[CHARACTERS] = [{**m, "instance_id": unique(f"t{number}", f"mention{k}")} for k, m in enumerate(mentions)]
    return turn


def _metadata(scene: Scene, *, names: Names) -> Dialogue:
    return {"scene_entities": names.entities(scene.codes)}


def _queries(scene: Scene, *, names: Names, unique: Callable[..., str]) -> list[Dialogue]:
    return [
        {
            "query": names.query(query.text),
            "answer": names.entity(query.answer),
            "instance_id": unique(f"qa{number}"),
        }
        for number, query in enumerate(scene.samples[QUERIES])
    ]


def _questions(scene: Scene, *, numbers: Mapping[Line, int], unique: Callable[..., str]) -> list[Dialogue]:
    qas = [
        {
            "question": question.text,
            "answers": [
                {
                    "text": answer.text,
                    "answer_start": -1 if answer.is_speaker else line.text.find(answer.text),
                    "answer_utterance_id": numbers[line],
                    "is_speaker": answer.is_speaker,
                }
                for line, answer in answers
            ],
            "instance_id": unique(question.question_id.removeprefix(f"{scene.scene_id}_")),
        }
        for question, answers in scene.samples[QUESTIONS]
    ]
    return [{"qas": qas}] if qas else []


def _personality(scene: Scene, *, numbers: Mapping[Line, int], unique: Callable[..., str]) -> list[Dialogue]:
    return [
        {
            "turns": _numbers(lines, numbers=numbers),
            "focus_speaker": sample.character,
            "personality_characteristics": dict(sample.traits),
            "instance_id": unique(sample.character),
        }
        for sample, lines in scene.samples[PERSONALITY]
    ]


def _relations(scene: Scene, *, numbers: Mapping[Line, int], unique: Callable[..., str]) -> list[Dialogue]:
    return [
        {
            "turns": _numbers(lines, numbers=numbers),
            "relation_triples": [
                {
                    "head": pair.head,
                    "tail": pair.tail,
                    "relations": list(pair.relations),
                    "instance_id": unique(pair.head, pair.tail),
                }
                for pair in pairs
            ],
        }
        for pairs, lines in scene.samples[RELATIONS]
    ]


def _numbers(lines: Sequence[Line], *, numbers: Mapping[Line, int]) -> list[int]:
    return sorted(numbers[line] for line in lines)
