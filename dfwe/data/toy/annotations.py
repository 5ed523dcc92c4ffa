"""The seven tasks' annotations of a scene, in the TLiDB format, by rules of what was said.

- MELD and emory emotions: the speaker's feeling under two label sets (`lexicon.FEELINGS`).
- Character identification: whom "I", "me", "you", "he", "she", a name or a kinship word means (`dialogue`).
- Personality of a speaker, over all their turns:
  agreeable 1 without rage and revulsion; conscientious 1 if they tell of no careless deed of their own; extroverted 1
  with glee, pride or wonder in most turns; open 1 if they tell of a deed away from home; neurotic 1 with gloom, dread
  or shock in most turns.
- Relations between people: a kinship word gives its relation and the reverse; "You make me X" gives a positive or
  negative impression; "I live in T" gives place of residence, and residents of place the other way round. Two speakers
  with none are unanswerable.
- Reading comprehension: a deed or a home, told again with a gap for who it was, among all people of the scene.
- Question answering: where the thing of a deed is, what the agent did it to, or who did it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from dfwe.data.toy.dialogue import Deed, Mention, Turn
from dfwe.data.toy.lexicon import AWAY_PLACES, CARELESS_VERBS, KINSHIPS, Person

TASKS: tuple[str, ...] = (
    "emory_emotion_recognition",
    "reading_comprehension",
    "character_identification",
    "question_answering",
    "personality_detection",
    "relation_extraction",
    "MELD_emotion_recognition",
)


def annotate(
    scene: Sequence[Turn], *, dialogue_id: str, tasks: Sequence[str], rng: np.random.Generator
) -> dict[str, Any]:
    """The dialogue as TLiDB's JSON object with the annotations of `tasks`; `rng` chooses what is asked."""
    turns = [
        {"turn_id": number, "speakers": [turn.speaker.name], "utterance": turn.utterance}
        | _turn_annotations(turn, turn_id=f"{dialogue_id}_t{number}", tasks=tasks, rng=rng)
        for number, turn in enumerate(scene)
    ]
    whole = _dialogue_annotations(scene, dialogue_id=dialogue_id, rng=rng)
    found = {task: annotation for task, annotation in whole.items() if task in tasks and annotation}
    about: dict[str, Any] = {task: None for task in TASKS if task in tasks}
    if "reading_comprehension" in found:
        about["reading_comprehension"] = {"scene_entities": entities(scene)}
    return {"dialogue_id": dialogue_id, "dialogue_metadata": about, "dialogue": turns, **found}


def _turn_annotations(turn: Turn, *, turn_id: str, tasks: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    mention = _ask_mention(turn, rng=rng)
    found = {
        "emory_emotion_recognition": {"label": turn.feeling.emory, "instance_id": turn_id},
        "character_identification": [character(mention, turn_id=turn_id)] if mention else [],
        "MELD_emotion_recognition": {"label": turn.feeling.meld, "instance_id": turn_id},
    }
    return {task: annotation for task, annotation in found.items() if task in tasks and annotation}


def _dialogue_annotations(
    scene: Sequence[Turn], *, dialogue_id: str, rng: np.random.Generator
) -> dict[str, list[dict[str, Any]]]:
    numbers = list(range(len(scene)))
    focus = scene[int(rng.integers(len(scene)))].speaker
    triples = [
        {
            "head": head,
            "tail": tail,
            "relations": codes,
            "instance_id": f"{dialogue_id}_{_dashed(head, tail)}",
        }
        for (head, tail), codes in relations(scene).items()
    ]
    return {
        "reading_comprehension": [
            {"query": query, "answer": answer, "instance_id": f"{dialogue_id}_qa{number}"}
            for number, (query, answer) in enumerate(queries(scene))
        ],
        "question_answering": [{"qas": questions(scene, dialogue_id=dialogue_id, rng=rng)}],
        "personality_detection": [
            {
                "turns": numbers,
                "focus_speaker": focus.first_name,
                "personality_characteristics": traits(scene, of=focus),
                "instance_id": f"{dialogue_id}_{focus.first_name}",
            }
        ],
        "relation_extraction": [{"turns": numbers, "relation_triples": triples}],
    }


def _ask_mention(turn: Turn, *, rng: np.random.Generator) -> Mention | None:
    """One mention of the turn, every word that means somebody equally likely."""
    first = {mention.text: mention for mention in reversed(turn.mentions)}
    return list(first.values())[int(rng.integers(len(first)))] if first else None


def character(mention: Mention, *, turn_id: str) -> dict[str, Any]:
    """Whom a mention means."""
    return {
        "entity": mention.person.name,
        "normalized_entity": mention.person.label,
        "start": mention.start,
        "entity_reference": mention.text,
        "instance_id": f"{turn_id}_mention0",
    }


def traits(scene: Sequence[Turn], *, of: Person) -> dict[str, str]:
    """The five traits of a speaker, "0" or "1", the first spelt as the benchmark does."""
    turns = [turn for turn in scene if turn.speaker is of]
    deeds = [turn.deed for turn in turns if turn.deed]
    found = {
        "aggreeable": not any(turn.feeling.name in ("rage", "revulsion") for turn in turns),
        "conscientious": not any(deed.agent is of and deed.verb in CARELESS_VERBS for deed in deeds),
        "extroverted": _mostly(turns, felt=("glee", "pride", "wonder")),
        "open": any(deed.place in AWAY_PLACES for deed in deeds),
        "neurotic": _mostly(turns, felt=("gloom", "dread", "shock")),
    }
    return {trait: str(int(holds)) for trait, holds in found.items()}


def _mostly(turns: Sequence[Turn], *, felt: Sequence[str]) -> bool:
    return 2 * sum(turn.feeling.name in felt for turn in turns) > len(turns)


def relations(scene: Sequence[Turn]) -> Mapping[tuple[str, str], list[str]]:
    """Relation codes by head and tail, in the order in which the scene shows them."""
    found: dict[tuple[str, str], list[str]] = {}
    for turn in scene:
        for head, tail, code in _shown(turn):
            codes = found.setdefault((head, tail), [])
            if code not in codes:
                codes.append(code)
    for before, turn in pairwise(scene):
        pair = (before.speaker.name, turn.speaker.name)
        if pair not in found and pair[::-1] not in found:
            found[pair] = ["unanswerable"]
    return found


def _shown(turn: Turn) -> Iterator[tuple[str, str, str]]:
    speaker = turn.speaker.name
    if turn.home:
        yield speaker, turn.home, "per:place_of_residence"
        yield turn.home, speaker, "gpe:residents_of_place"
    if turn.addressee is None:
        return
    if turn.kinship:
        yield speaker, turn.addressee.name, turn.kinship
        yield turn.addressee.name, speaker, KINSHIPS[turn.kinship].reverse
    if turn.mood and turn.mood.is_about_you:
        impression = "per:positive_impression" if turn.feeling.is_good else "per:negative_impression"
        yield speaker, turn.addressee.name, impression


def entities(scene: Sequence[Turn]) -> list[str]:
    """First names of all who speak or are meant, in lower case, sorted."""
    meant = {mention.person for turn in scene for mention in turn.mentions}
    return sorted({person.first_name.lower() for person in meant | {turn.speaker for turn in scene}})


def queries(scene: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    """Statements of the scene with a gap for the person, and who it is."""
    for turn in scene:
        if turn.deed:
            yield turn.deed.told_of("[PLACEHOLDER]"), turn.deed.agent.first_name.lower()
        if turn.home:
            yield f"[PLACEHOLDER] lives in {turn.home}.", turn.speaker.first_name.lower()


def questions(scene: Sequence[Turn], *, dialogue_id: str, rng: np.random.Generator) -> list[dict[str, Any]]:
    """One question about each deed."""
    asked = []
    for number, turn in enumerate(scene):
        if turn.deed is None:
            continue
        forms = [_where, _what] if turn.deed.word in ("you", "he", "she") else [_where, _what, _who]
        question, answers = forms[int(rng.integers(len(forms)))](turn, turn.deed)
        asked.append(
            {
                "question": question,
                "answers": [answer | {"answer_utterance_id": number} for answer in answers],
                "instance_id": f"{dialogue_id}_q{number}_{question.split()[0]}",
            }
        )
    return asked


def _where(turn: Turn, deed: Deed) -> tuple[str, list[dict[str, Any]]]:
    texts = [f"the {deed.place}", f"near the {deed.place}"]
    return f"Where is the {deed.thing}?", [_span(text, turn=turn) for text in texts]


def _what(turn: Turn, deed: Deed) -> tuple[str, list[dict[str, Any]]]:
    return f"What has {deed.agent.first_name} {deed.verb}?", [_span(f"the {deed.thing}", turn=turn)]


def _who(turn: Turn, deed: Deed) -> tuple[str, list[dict[str, Any]]]:
    question = f"Who {deed.verb} the {deed.thing}?"
    if deed.word != "I":
        return question, [_span(deed.word, turn=turn)]
    return question, [{"text": deed.agent.name, "answer_start": -1, "is_speaker": True}]


def _span(text: str, *, turn: Turn) -> dict[str, Any]:
    start = turn.utterance.lower().index(text.lower())
    return {"text": turn.utterance[start : start + len(text)], "answer_start": start, "is_speaker": False}


def _dashed(*names: str) -> str:
    return "_".join(name.replace(" ", "-") for name in names)
