"""Annotations of a toy scene for the seven tasks, in the TLiDB format, by rules of what was said.

- MELD and Emory emotions: the speaker's emotion under two label sets (`lexicon.EMOTIONS`).
- Character identification: the person whom "I", "me", "you", "he", "she", a name or a kinship word refers to.
- Personality of a speaker, over all their turns: agreeable 1 without rage and revulsion; conscientious 1 without a
  careless deed of their own; extroverted 1 with glee, pride or wonder in most turns; open 1 with an event away from
  home; neurotic 1 with gloom, dread or shock in most turns.
- Relations between people: a kinship word gives its relation and the reverse; "You make me X" gives a positive or
  negative impression; "I live in T" gives place of residence and its reverse. Two speakers without any relation are
  unanswerable.
- Reading comprehension: an event or a residence with a gap for the person, among all people of the scene.
- Question answering: where the thing of an event is, what the agent did it to, or who did it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from dfwe.data.friends import tasks as friends
from dfwe.data.friends.tasks import CHARACTERS, EMORY, MELD, PERSONALITY, QUERIES, QUESTIONS, RELATIONS, TASKS
from dfwe.data.synthetic.drawing import Draws
from dfwe.data.synthetic.friends.lexicon import AWAY_PLACES, CARELESS_VERBS, EMOTIONS, KINSHIPS, SPEAKERS, Person
from dfwe.data.synthetic.friends.scenes import Event, Mention, SceneTurn

_NOT_SCORED = ("per:place_of_birth", "per:alternate_names", "gpe:births_in_place")


def task_metadata(tasks: Sequence[str]) -> dict[str, Any]:
    """Return the `metadata` object of a data set with these tasks: labels and the reference's metrics."""
    people = [*(person.label for person in SPEAKERS), "other"]
    scored = [index for index, code in enumerate(friends.RELATION_CODES[:35]) if code not in _NOT_SCORED]
    metadata = {
        EMORY: _metrics(labels=sorted({e.emory for e in EMOTIONS.values()}), f1=("micro", "weighted")),
        QUERIES: {"metrics": ["exact_match"]},
        CHARACTERS: _metrics(labels=people, f1=("micro", "macro")),
        QUESTIONS: {
            "metrics": ["exact_match", "token_f1"],
            "metric_kwargs": {"token_f1": [{"average": "macro"}, {"average": "micro"}]},
        },
        PERSONALITY: {"labels": ["0", "1"], "metrics": ["accuracy"]},
        RELATIONS: {
            "labels": list(friends.RELATION_CODES),
            "metrics": ["multilabel_f1"],
            "metric_kwargs": {"multilabel_f1": [{"labels": scored}]},
        },
        MELD: _metrics(labels=sorted({e.meld for e in EMOTIONS.values()}), f1=("micro", "weighted")),
    }
    return {"dataset_name": "Friends", "tasks": list(tasks), "task_metadata": {task: metadata[task] for task in tasks}}


def _metrics(*, labels: Sequence[str], f1: Sequence[str]) -> dict[str, Any]:
    kwargs = {"f1": [{"average": average} for average in f1]}
    return {"labels": list(labels), "metrics": ["f1"], "metric_kwargs": kwargs}


def annotate(
    scene: Sequence[SceneTurn], *, dialogue_id: str, tasks: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """Return the dialogue as TLiDB's JSON object with the annotations of `tasks`; `rng` chooses the questions."""
    draws = Draws(rng)
    turns = [
        {"turn_id": number, "speakers": [turn.speaker.name], "utterance": turn.utterance}
        | _selected(_turn_annotations(turn, turn_id=f"{dialogue_id}_t{number}", draws=draws), tasks=tasks)
        for number, turn in enumerate(scene)
    ]
    annotations = _selected(_dialogue_annotations(scene, dialogue_id=dialogue_id, draws=draws), tasks=tasks)
    metadata: dict[str, Any] = {task: None for task in TASKS if task in tasks}
    if QUERIES in annotations:
        metadata[QUERIES] = {"scene_entities": entities(scene)}
    return {"dialogue_id": dialogue_id, "dialogue_metadata": metadata, "dialogue": turns, **annotations}


def _selected(annotations: Mapping[str, Any], *, tasks: Sequence[str]) -> dict[str, Any]:
    return {task: annotation for task, annotation in annotations.items() if task in tasks and annotation}


def _turn_annotations(turn: SceneTurn, *, turn_id: str, draws: Draws) -> dict[str, Any]:
    mentions = {mention.text: mention for mention in reversed(turn.mentions)}  # the first of each word
    return {
        EMORY: {"label": turn.emotion.emory, "instance_id": turn_id},
        CHARACTERS: [character(draws.choose(list(mentions.values())), turn_id=turn_id)] if mentions else [],
        MELD: {"label": turn.emotion.meld, "instance_id": turn_id},
    }


def _dialogue_annotations(scene: Sequence[SceneTurn], *, dialogue_id: str, draws: Draws) -> dict[str, Any]:
    numbers = list(range(len(scene)))
    focus = draws.choose(scene).speaker
    triples = [
        {"head": head, "tail": tail, "relations": codes, "instance_id": f"{dialogue_id}_{_dashed(head, tail)}"}
        for (head, tail), codes in relations(scene).items()
    ]
    sample = {
        "turns": numbers,
        "focus_speaker": focus.first_name,
        "personality_characteristics": traits(scene, of=focus),
        "instance_id": f"{dialogue_id}_{focus.first_name}",
    }
    return {
        QUERIES: [
            {"query": query, "answer": answer, "instance_id": f"{dialogue_id}_qa{number}"}
            for number, (query, answer) in enumerate(queries(scene))
        ],
        QUESTIONS: [{"qas": questions(scene, dialogue_id=dialogue_id, draws=draws)}],
        PERSONALITY: [sample],
        RELATIONS: [{"turns": numbers, "relation_triples": triples}],
    }


def character(mention: Mention, *, turn_id: str) -> dict[str, Any]:
    """Return the annotation of a mention with the person it refers to."""
    return {
        "entity": mention.person.name,
        "normalized_entity": mention.person.label,
        "start": mention.start,
        "entity_reference": mention.text,
        "instance_id": f"{turn_id}_mention0",
    }


def traits(scene: Sequence[SceneTurn], *, of: Person) -> dict[str, str]:
    """Return the five traits of a speaker, "0" or "1"."""
    turns = [turn for turn in scene if turn.speaker is of]
    events = [turn.event for turn in turns if turn.event]
    values = (
        not any(turn.emotion.name in ("rage", "revulsion") for turn in turns),
        not any(event.agent is of and event.verb in CARELESS_VERBS for event in events),
        _mostly(turns, emotions=("glee", "pride", "wonder")),
        any(event.place in AWAY_PLACES for event in events),
        _mostly(turns, emotions=("gloom", "dread", "shock")),
    )
    return {trait: str(int(value)) for trait, value in zip(friends.TRAITS, values, strict=True)}


def _mostly(turns: Sequence[SceneTurn], *, emotions: Sequence[str]) -> bool:
    return 2 * sum(turn.emotion.name in emotions for turn in turns) > len(turns)


def relations(scene: Sequence[SceneTurn]) -> Mapping[tuple[str, str], list[str]]:
    """Return relation codes by head and tail, in the order in which the scene shows them."""
    codes: dict[tuple[str, str], list[str]] = {}
    for turn in scene:
        for head, tail, code in _stated_relations(turn):
            pair_codes = codes.setdefault((head, tail), [])
            if code not in pair_codes:
                pair_codes.append(code)
    for before, turn in pairwise(scene):
        pair = (before.speaker.name, turn.speaker.name)
        if pair not in codes and pair[::-1] not in codes:
            codes[pair] = ["unanswerable"]
    return codes


def _stated_relations(turn: SceneTurn) -> Iterator[tuple[str, str, str]]:
    speaker = turn.speaker.name
    if turn.residence:
        yield speaker, turn.residence, "per:place_of_residence"
        yield turn.residence, speaker, "gpe:residents_of_place"
    if turn.addressee is None:
        return
    if turn.kinship:
        yield speaker, turn.addressee.name, turn.kinship
        yield turn.addressee.name, speaker, KINSHIPS[turn.kinship].reverse
    if turn.statement and turn.statement.is_about_you:
        yield speaker, turn.addressee.name, f"per:{'positive' if turn.emotion.is_good else 'negative'}_impression"


def entities(scene: Sequence[SceneTurn]) -> list[str]:
    """Return the first names of all who speak or are mentioned, in lower case, sorted."""
    people = {mention.person for turn in scene for mention in turn.mentions} | {turn.speaker for turn in scene}
    return sorted({person.first_name.lower() for person in people})


def queries(scene: Sequence[SceneTurn]) -> Iterator[tuple[str, str]]:
    """Yield statements of the scene with a gap for the person, and the person."""
    for turn in scene:
        if turn.event:
            yield turn.event.sentence("[PLACEHOLDER]"), turn.event.agent.first_name.lower()
        if turn.residence:
            yield f"[PLACEHOLDER] lives in {turn.residence}.", turn.speaker.first_name.lower()


def questions(scene: Sequence[SceneTurn], *, dialogue_id: str, draws: Draws) -> list[dict[str, Any]]:
    """Return one question about each event."""
    entries = []
    for number, turn in enumerate(scene):
        if turn.event is None:
            continue
        forms = [_ask_place, _ask_thing]
        if turn.event.reference not in ("you", "he", "she"):
            forms.append(_ask_agent)
        question, answers = draws.choose(forms)(turn, turn.event)
        answers = [answer | {"answer_utterance_id": number} for answer in answers]
        instance_id = f"{dialogue_id}_q{number}_{question.split()[0]}"
        entries.append({"question": question, "answers": answers, "instance_id": instance_id})
    return entries


def _ask_place(turn: SceneTurn, event: Event) -> tuple[str, list[dict[str, Any]]]:
    texts = [f"the {event.place}", f"near the {event.place}"]
    return f"Where is the {event.thing}?", [_span(text, turn=turn) for text in texts]


def _ask_thing(turn: SceneTurn, event: Event) -> tuple[str, list[dict[str, Any]]]:
    return f"What has {event.agent.first_name} {event.verb}?", [_span(f"the {event.thing}", turn=turn)]


def _ask_agent(turn: SceneTurn, event: Event) -> tuple[str, list[dict[str, Any]]]:
    question = f"Who {event.verb} the {event.thing}?"
    if event.reference != "I":
        return question, [_span(event.reference, turn=turn)]
    return question, [{"text": event.agent.name, "answer_start": -1, "is_speaker": True}]


def _span(text: str, *, turn: SceneTurn) -> dict[str, Any]:
    start = turn.utterance.lower().index(text.lower())
    return {"text": turn.utterance[start : start + len(text)], "answer_start": start, "is_speaker": False}


def _dashed(*names: str) -> str:
    return "_".join(name.replace(" ", "-") for name in names)
