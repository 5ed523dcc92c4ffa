"""The hand-made releases as dialogues: every annotation at the right place."""

from collections import Counter

import pytest

from dfwe.data.friends.dialogue import Names, count, dialogue_of, names_of
from dfwe.data.friends.scene import ALL, Line, Scene
from dfwe.data.friends.tasks import CHARACTERS, EMORY, MELD, PERSONALITY, QUERIES, QUESTIONS, RELATIONS, TASKS

KITCHEN, BREWERY = "s01_e01_c01", "s02_e01_c01"


def labels(dialogue, task):
    return {turn["turn_id"]: turn[task]["label"] for turn in dialogue["dialogue"] if task in turn}


def instance_ids(dialogue, task):
    """The ids of a task's instances as the readers see them."""
    if task in (EMORY, MELD):
        return [turn[task]["instance_id"] for turn in dialogue["dialogue"] if task in turn]
    if task == CHARACTERS:
        return [mention["instance_id"] for turn in dialogue["dialogue"] for mention in turn.get(task, ())]
    parts = {QUESTIONS: "qas", RELATIONS: "relation_triples"}
    samples = dialogue.get(task, ())
    samples = [one for sample in samples for one in sample[parts[task]]] if task in parts else samples
    return [sample["instance_id"] for sample in samples]


def test_dialogue_lines_come_from_the_first_release(dialogues):
    turns = dialogues[KITCHEN]["dialogue"]
    assert [turn["turn_id"] for turn in turns] == list(range(7))
    assert [turn["speakers"] for turn in turns[:3]] == [[], ["Monica Geller"], ["Ross Geller"]]
    assert turns[0]["utterance"] == "[ Scene: A kitchen, the table is full of plums. ]"
    assert turns[1]["utterance"] == "I'm gonna wash forty plums before the train leaves."
    assert turns[6]["speakers"] == ["#ALL#"]


def test_emotions_stand_at_their_turns(dialogues):
    expected = dict(enumerate(["joyful", "sad", "neutral", "powerful", "mad", "peaceful"], start=1))
    assert labels(dialogues[KITCHEN], EMORY) == expected
    assert labels(dialogues[KITCHEN], MELD) == {4: "surprise", 5: "anger"}


def test_dialogue_includes_releases_without_scene_ids(dialogues):
    assert labels(dialogues[BREWERY], EMORY) == {0: "joyful", 1: "mad", 2: "neutral", 3: "scared"}
    # turn 2 is two utterances there: the last one's label counts
    assert labels(dialogues[BREWERY], MELD) == {0: "joy", 2: "sadness"}


def test_what_matches_no_scene_keeps_the_releases_own_id(dialogues):
    assert labels(dialogues["meld_dev_0001"], MELD) == {0: "fear", 1: "disgust"}
    assert dialogues["meld_dev_0001"]["dialogue"][0]["speakers"] == ["Ada Pike"]
    assert RELATIONS in dialogues["dialogre_train_0002"]


def test_mentions_are_the_words_at_their_starts(dialogues):
    found = []
    for turn in dialogues[KITCHEN]["dialogue"]:
        for mention in turn.get(CHARACTERS, ()):
            text = mention["entity_reference"]
            assert turn["utterance"][mention["start"] :].startswith(text)
            found.append((turn["turn_id"], text, mention["entity"], mention["normalized_entity"]))
    assert found == [
        (1, "I", "Monica Geller", "monica"),
        (2, "mine", "Ross Geller", "ross"),
        (2, "I", "Ross Geller", "ross"),
        (4, "Vera Quill", "Vera Quill", "other"),
        (4, "us", "Monica Geller", "monica"),  # the first of several people
    ]


def test_questions_have_their_answers_in_the_turns(dialogues):
    (group,) = dialogues[KITCHEN][QUESTIONS]
    first, second = group["qas"]
    turns = dialogues[KITCHEN]["dialogue"]
    assert first["question"] == "What does Monica wash?"
    for answer in first["answers"]:
        said = turns[answer["answer_utterance_id"]]["utterance"]
        assert said[answer["answer_start"] :].startswith(answer["text"])
    assert [answer["text"] for answer in first["answers"]] == ["forty plums", "plums"]
    speaker = {"text": "Ross Geller", "answer_start": -1, "answer_utterance_id": 2, "is_speaker": True}
    assert second["answers"] == [speaker]


def test_dialogue_speaker_answer_has_no_start():
    from dfwe.data.friends.annotations import QuestionAnnotation, QuestionAnswer

    scene = Scene("s01_e01_c01", [Line(("Ada",), "Ada is my name.")])
    answer = QuestionAnswer(0, "Ada", True)
    scene.samples[QUESTIONS] = [(QuestionAnnotation("q", "Who?", (answer,)), [(scene.lines[0], answer)])]
    (group,) = dialogue_of(scene)[QUESTIONS]
    assert group["qas"][0]["answers"][0]["answer_start"] == -1


def test_hidden_names_come_from_other_releases(dialogues):
    dialogue = dialogues[KITCHEN]
    (query,) = dialogue[QUERIES]
    assert (query["query"], query["answer"]) == ("[PLACEHOLDER] thanks Vera.", "monica")
    # whom everybody is called by is no entity
    assert dialogue["dialogue_metadata"][QUERIES] == {"scene_entities": ["joey", "monica", "ross", "vera"]}


def test_names_that_no_release_tells_stay_codes(dialogues):
    dialogue = dialogues["s01_e01_c02"]
    assert dialogue["dialogue_metadata"][QUERIES] == {"scene_entities": ["@ent00", "@ent01"]}
    assert dialogue[QUERIES][0]["answer"] == "@ent00"


def test_a_personality_has_its_turns_and_traits(dialogues):
    (sample,) = dialogues[KITCHEN][PERSONALITY]
    assert (sample["turns"], sample["focus_speaker"]) == ([1, 2], "Monica Geller")
    expected = {"aggreeable": "1", "conscientious": "0", "extroverted": "1", "open": "0", "neurotic": "1"}
    assert sample["personality_characteristics"] == expected


def test_relations_are_between_names(dialogues):
    (sample,) = dialogues[BREWERY][RELATIONS]
    assert sample["turns"] == [0, 1, 2, 3]
    assert [(p["head"], p["tail"], p["relations"]) for p in sample["relation_triples"]] == [
        ("Phoebe Buffay", "Tobias", ["per:other_family"]),
        ("Tobias", "Phoebe Buffay", ["per:other_family"]),
        ("Rachel Green", "Joey Tribbiani", ["unanswerable"]),
    ]
    (alone,) = dialogues["dialogre_train_0002"][RELATIONS]
    assert [(p["head"], p["tail"]) for p in alone["relation_triples"]] == [("Nadia", "Oslo")]


@pytest.mark.parametrize(
    ("task", "ids"),
    [
        (EMORY, [f"{KITCHEN}_t{k}" for k in range(1, 7)]),
        (MELD, [f"{KITCHEN}_t4", f"{KITCHEN}_t5"]),
        (
            CHARACTERS,
            [f"{KITCHEN}_t{k}" for k in ("1_mention0", "2_mention0", "2_mention1", "4_mention0", "4_mention1")],
        ),
        (QUERIES, [f"{KITCHEN}_qa0"]),
        (QUESTIONS, [f"{KITCHEN}_What", f"{KITCHEN}_Who"]),
        (PERSONALITY, [f"{KITCHEN}_Monica-Geller"]),
    ],
)
def test_instances_have_the_benchmarks_ids(dialogues, task, ids):
    assert instance_ids(dialogues[KITCHEN], task) == ids


def test_ids_are_unique_within_a_task(dialogues):
    for task in TASKS:
        ids = Counter(i for dialogue in dialogues.values() for i in instance_ids(dialogue, task))
        assert ids
        assert max(ids.values()) == 1


def test_a_repeated_id_is_numbered():
    from dfwe.data.friends.annotations import PersonalityAnnotation

    scene = Scene("s", [Line((), "Hello.")])
    scene.samples[PERSONALITY] = [(PersonalityAnnotation("Ada Pike", {"open": "1"}), scene.lines)] * 3
    assert instance_ids(dialogue_of(scene), PERSONALITY) == ["s_Ada-Pike", "s_Ada-Pike_2", "s_Ada-Pike_3"]


def test_the_metadata_name_the_tasks_that_are_there(dialogues):
    for dialogue in dialogues.values():
        counts = count(dialogue)
        assert set(dialogue["dialogue_metadata"]) == {task for task in TASKS if counts[task]}
        assert all(
            counts[task] == len(instance_ids(dialogue, task)) * (5 if task == PERSONALITY else 1) for task in TASKS
        )
    assert dialogues["s10_e01_c01"]["dialogue_metadata"] == {}


NAMES = Names({"@ent00": "Vera Quill", "@ent01": "The Waiter", "@ent02": ALL, "@ent03": "Ross Geller"})


def elected(**votes):
    scene = Scene("s")
    scene.names["@ent00"] = Counter(votes)
    return names_of(scene).full["@ent00"]


def test_the_name_with_the_most_votes_wins():
    assert elected(Ada=2, Ben=3) == "Ben"


def test_names_that_begin_alike_vote_together():
    scene = Scene("s")
    scene.names["@ent00"] = Counter({"Vera Quill": 2, "Vera": 1, "Otto": 2})
    assert names_of(scene).full == {"@ent00": "Vera Quill"}


def test_a_main_character_gets_the_full_name():
    assert elected(Monica=5) == "Monica Geller"


def test_a_tie_goes_to_the_same_name_in_any_order():
    assert elected(Ada=1, Ben=1) == elected(Ben=1, Ada=1) == "Ben"


def test_speakers_get_full_names():
    assert [NAMES.speaker(name) for name in ("@ent00", "Ross", "Vera", "@ent09")] == [
        "Vera Quill",
        "Ross Geller",
        "Vera",
        "@ent09",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@ent00, meet @ent03!", "Vera, meet Ross!"),
        ("Ask @ent01.", "Ask The Waiter."),
        ("@ent000 and @ent09", "@ent000 and @ent09"),
        ("no code", "no code"),
    ],
)
def test_texts_get_first_names(text, expected):
    assert NAMES.text(text) == expected


def test_entities_are_lowercase_first_names():
    assert NAMES.entities(["@ent03", "@ent00", "@ent01", "@ent02", "@ent09"]) == [
        "@ent09",
        "ross",
        "the waiter",
        "vera",
    ]


def test_two_codes_of_one_name_are_one_entity():
    assert Names({"@ent00": "Vera Quill", "@ent01": "Vera"}).entities(["@ent00", "@ent01"]) == ["vera"]


def test_a_query_is_written_as_people_write():
    assert NAMES.query("@placeholder does n't know @ent00 .") == "[PLACEHOLDER] doesn't know Vera."
