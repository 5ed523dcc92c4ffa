"""A data set of three invented dialogues in the TLiDB format."""

import copy
import json

import pytest

TURNS = (
    (["Ada Pike"], "The kettle is cold."),  # 6 words with the speaker tag
    ([], "( A bell rings. )"),  # 5
    (["Ada Pike", "Ben Lowe"], "Who is it?"),  # 7
    (["Ben Lowe"], "My aunt, she brought you a cake."),  # 9
)
ENTITIES = ["ada", "ben", "the aunt"]


def turns():
    return [
        {"turn_id": position, "speakers": list(speakers), "utterance": utterance}
        for position, (speakers, utterance) in enumerate(TURNS)
    ]


def bare(dialogue_id):
    return {"dialogue_id": dialogue_id, "dialogue_metadata": {}, "dialogue": turns()}


def mention(text, *, entity, start, instance_id):
    return {"entity_reference": text, "normalized_entity": entity, "start": start, "instance_id": instance_id}


def annotated():
    """Dialogue d1 with one annotation of each kind or a few."""
    dialogue = bare("d1")
    dialogue["dialogue_metadata"] = {
        "MELD_emotion_recognition": None,
        "character_identification": None,
        "reading_comprehension": {"scene_entities": ENTITIES},
        "question_answering": None,
        "personality_detection": None,
        "relation_extraction": None,
    }
    first, _, _, last = dialogue["dialogue"]
    first["MELD_emotion_recognition"] = {"label": "sadness", "instance_id": "d1_t0"}
    last["MELD_emotion_recognition"] = {"label": "joy", "instance_id": "d1_t3"}
    last["character_identification"] = [
        mention("aunt", entity="other", start=3, instance_id="d1_t3_mention0"),
        mention("you", entity="monica", start=21, instance_id="d1_t3_mention1"),
    ]
    dialogue["reading_comprehension"] = [
        {"query": "[PLACEHOLDER] rings the bell.", "answer": "the aunt", "instance_id": "d1_qa0"},
        {"query": "[PLACEHOLDER] finds the kettle cold.", "answer": "ada", "instance_id": "d1_qa1"},
    ]
    answers = [
        {"text": "a cake", "answer_start": 25, "answer_utterance_id": 3, "is_speaker": False},
        {"text": "cake", "answer_start": 27, "answer_utterance_id": 3, "is_speaker": False},
        {"text": "The kettle", "answer_start": 0, "answer_utterance_id": 0, "is_speaker": False},
    ]
    question = {"question": "What is there?", "answers": answers, "instance_id": "d1_What"}
    dialogue["question_answering"] = [{"qas": [question]}]
    dialogue["personality_detection"] = [
        {
            "turns": [0, 2],
            "focus_speaker": "Ada Pike",
            "personality_characteristics": {"aggreeable": "0", "open": "1"},
            "instance_id": "d1_Ada-Pike",
        }
    ]
    pair = {
        "head": "Ben Lowe",
        "tail": "aunt",
        "relations": ["per:other_family", "per:age"],
        "instance_id": "d1_p",
    }
    dialogue["relation_extraction"] = [{"turns": [1, 3], "relation_triples": [pair]}]
    return dialogue


@pytest.fixture
def dialogue():
    return annotated()


@pytest.fixture
def data():
    """The JSON object of a data set: d3 stands before d1, and d2 has nothing but an emotion."""
    third = copy.deepcopy(annotated())
    third["dialogue_id"] = "d3"
    second = bare("d2")
    second["dialogue_metadata"] = {"MELD_emotion_recognition": None}
    second["dialogue"][1]["MELD_emotion_recognition"] = {"label": "fear", "instance_id": "d2_t1"}
    return {"metadata": {}, "data": [third, annotated(), second]}


@pytest.fixture
def write(tmp_path):
    """Writes a data set and its id lists; the folder to read."""

    def _write(data, **lists):
        folder = tmp_path / "TLiDB_Friends"
        folder.mkdir(exist_ok=True)
        (folder / "TLiDB_Friends.json").write_text(data if isinstance(data, str) else json.dumps(data))
        for split, ids in ({"train": ["d1", "d3"], "dev": ["d2"], "test": []} | lists).items():
            (folder / f"TTiDB_{split}_ids.txt").write_text("".join(f"{one}\n" for one in ids))
        return tmp_path

    return _write
