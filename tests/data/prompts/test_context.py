import contextlib

import pytest

from dfwe.data.prompts.context import cut_around, cut_start, render, select, turn_texts
from dfwe.data.prompts.dialogues import (
    CharacterIdentification,
    Personality,
    QuestionAnswering,
    ReadingComprehension,
    RelationExtraction,
)
from dfwe.errors import DataError

TURNS = ("a b", "c d e", "f", "g h")  # 2, 3, 1, 2 words


def test_turn_texts_join_speakers(dialogue):
    assert turn_texts(dialogue) == (
        "Ada Pike: The kettle is cold.",
        "( A bell rings. )",
        "Ada Pike Ben Lowe: Who is it?",
        "Ben Lowe: My aunt, she brought you a cake.",
    )


@pytest.mark.parametrize(("max_words", "left"), [(0, 4), (8, 4), (7, 3), (6, 3), (5, 2), (3, 2), (2, 1), (1, 0)])
def test_cut_start_drops_whole_turns(max_words, left):
    assert cut_start(TURNS, max_words=max_words) == TURNS[4 - left :]


def test_one_over_long_turn_leaves_an_empty_context():
    assert render(cut_start(("a b c d",), max_words=3)) == "context: "


@pytest.mark.parametrize(
    ("turn", "max_words", "expected"),
    [
        (0, 0, TURNS),
        (0, 7, TURNS[:3]),  # 0 < 4 / 2: the last goes
        (1, 5, TURNS[:2]),  # 1 < 4 / 2, then 1 < 3 / 2: the last goes twice
        (2, 5, TURNS[1:3]),  # 2 is not < 4 / 2: the first goes; 2 - 1 < 3 / 2: the last
        (3, 3, TURNS[2:]),
        (0, 1, ()),
    ],
)
def test_questions_keep_the_turns_around_their_answer(turn, max_words, expected):
    assert cut_around(TURNS, turn=turn, max_words=max_words) == expected


def test_a_sample_names_its_turns():
    assert select(TURNS, sample={"turns": [3, 1]}, unlabelled=False, where="x") == ("g h", "c d e")
    assert select(TURNS, sample={}, unlabelled=True, where="x") == TURNS


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({}, "'turns' is missing"),
        ({"turns": [4]}, "'turns' names turn 4, the dialogue has 0 to 3"),
        ({"turns": [-1]}, "'turns' names turn -1"),
        ({"turns": 3}, "'turns' must be a list"),
    ],
)
def test_turns_that_are_not_there_are_an_error(sample, message):
    with pytest.raises(DataError, match=f"sample 7: {message}"):
        select(TURNS, sample=sample, unlabelled=False, where="sample 7")


DIALOGUE = {
    "dialogue_id": "d",
    "dialogue_metadata": {"t": {"scene_entities": ["@ent00", "@ent01"]}},
    "dialogue": [{"speakers": ["Ann"], "utterance": "I am glad."}],
}
ANSWER = {"text": "glad", "answer_utterance_id": 0}
MENTION = {"entity_reference": "I", "start": 0, "normalized_entity": "Ann"}
SAMPLE = {"focus_speaker": "Ann", "turns": [0], "personality_characteristics": {"aggressive": "1"}}
PAIR = {"head": "Ann", "tail": "Ben", "relations": ["per:friends"]}
QUERY = {"query": "Who?", "answer": "@ent00"}
PROMPTS = {
    "mention": (CharacterIdentification(task="t", labels=["Ann"]), MENTION),
    "sample": (Personality(task="t", labels=["0", "1"], traits=["aggressive"]), SAMPLE),
    "pair": (RelationExtraction(task="t", names={"per:friends": "friends"}), PAIR),
    "query": (ReadingComprehension(task="t"), QUERY),
    "question": (QuestionAnswering(task="t"), {"question": "What?", "answers": [ANSWER]}),
}


def annotated(kind, annotation):
    if kind == "mention":
        return {**DIALOGUE, "dialogue": [{**DIALOGUE["dialogue"][0], "t": [annotation]}]}
    holder = {"pair": {"turns": [0], "relation_triples": [annotation]}, "question": {"qas": [annotation]}}
    return {**DIALOGUE, "t": [holder.get(kind, annotation)]}


@pytest.mark.parametrize("kind", PROMPTS)
@pytest.mark.parametrize("odd", [3, None, True, -1, ["a", 1], {"a": 1}, "", "per:friends", [[]]])
def test_annotations_of_another_type_are_errors(kind, odd):
    prompt, good = PROMPTS[kind]
    assert len(list(prompt.instances(annotated(kind, good), max_words=9, seed=0))) == 1
    for key in (*good, "instance_id"):
        with contextlib.suppress(DataError):
            for one in prompt.instances(annotated(kind, {**good, key: odd}), max_words=9, seed=0):
                assert isinstance(one.instance_id, str)
                assert all(isinstance(text, str) for text in (*one.targets, *one.references, *one.candidates))


def test_one_text_is_not_a_list_of_its_letters():
    dialogue = {**annotated("query", QUERY), "dialogue_metadata": {"t": {"scene_entities": "@ent00"}}}
    with pytest.raises(DataError, match="'scene_entities' must be a list of texts"):
        list(PROMPTS["query"][0].instances(dialogue, max_words=9, seed=0))
