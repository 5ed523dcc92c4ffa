import numpy as np
import pytest

from dfwe.data.friends.tasks import TASKS
from dfwe.data.synthetic.drawing import Draws
from dfwe.data.synthetic.friends.annotations import (
    annotate,
    character,
    entities,
    queries,
    questions,
    relations,
    traits,
)
from dfwe.data.synthetic.friends.lexicon import OUTSIDERS, SPEAKERS
from dfwe.data.synthetic.friends.scenes import EmotionStatement, Event, SceneTurn

CHANDLER, JOEY, MONICA, *_ = SPEAKERS
WALT = OUTSIDERS[0]
MAP = Event(WALT, "Walt", "lost", "map", "attic")


def says(speaker, cue="", **kwargs):
    mood = EmotionStatement(cue, "am", is_about_you=kwargs.pop("is_about_you", False)) if cue else None
    addressee = MONICA if speaker is JOEY else JOEY
    return SceneTurn(speaker, addressee, statement=mood, **kwargs)


def does(agent, verb, place="attic"):
    return Event(agent, "I", verb, "map", place)


def annotated(scene, tasks=TASKS):
    return annotate(scene, dialogue_id="s01_e01_c01", tasks=tasks, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("cue", "meld", "emory"),
    [("bold", "joy", "powerful"), ("serene", "neutral", "peaceful"), ("dazed", "surprise", "scared")],
)
def test_annotate_emotion_has_a_label_in_each_set(cue, meld, emory):
    turn = annotated([says(JOEY, cue, event=MAP)])["dialogue"][0]
    assert turn["MELD_emotion_recognition"]["label"] == meld
    assert turn["emory_emotion_recognition"]["label"] == emory


def test_annotate_emotion_depends_on_its_turn_only():
    turns = annotated([says(JOEY, "glad", event=MAP), says(MONICA, event=MAP)])["dialogue"]
    assert [turn["MELD_emotion_recognition"]["label"] for turn in turns] == ["joy", "neutral"]


def test_a_mention_gives_entity_label_and_place():
    mention = says(JOEY, event=MAP).mentions[0]
    expected = {
        "entity": "Walt",
        "normalized_entity": "other",
        "start": 20,
        "entity_reference": "Walt",
        "instance_id": "t_mention0",
    }
    assert character(mention, turn_id="t") == expected


@pytest.mark.parametrize(
    ("turn", "trait", "value"),
    [
        (says(JOEY, "livid"), "aggreeable", "0"),
        (says(JOEY, "icky"), "aggreeable", "0"),
        (says(JOEY, "sorry"), "aggreeable", "1"),
        (says(JOEY, event=does(JOEY, "lost")), "conscientious", "0"),
        (says(JOEY, event=does(JOEY, "kept")), "conscientious", "1"),
        (says(JOEY, event=MAP), "conscientious", "1"),
        (says(JOEY, "merry"), "extroverted", "1"),
        (says(JOEY, "mellow"), "extroverted", "0"),
        (says(JOEY, event=does(JOEY, "kept", "island")), "open", "1"),
        (says(JOEY, event=does(JOEY, "kept", "attic")), "open", "0"),
        (says(JOEY, "tense"), "neurotic", "1"),
        (says(JOEY, "livid"), "neurotic", "0"),
    ],
)
def test_a_trait_follows_from_what_the_speaker_says(turn, trait, value):
    assert traits([turn], of=JOEY)[trait] == value


def test_traits_half_of_the_turns_are_not_most():
    assert traits([says(JOEY, "tense"), says(JOEY)], of=JOEY)["neurotic"] == "0"


def test_traits_ignore_other_speakers():
    scene = [says(JOEY), says(MONICA, "livid"), says(MONICA, "tense")]
    assert traits(scene, of=JOEY)["aggreeable"] == "1"


def test_a_kinship_word_gives_a_relation_and_its_reverse():
    scene = [says(JOEY, event=MAP), says(MONICA, opener="Chief", kinship="per:boss", filler="It is noon.")]
    joey, monica = JOEY.name, MONICA.name
    assert relations(scene) == {(monica, joey): ["per:boss"], (joey, monica): ["per:subordinate"]}


def test_an_impression_comes_beside_a_kinship():
    turn = says(MONICA, "gloomy", is_about_you=True, opener="Bro", kinship="per:siblings")
    found = relations([says(JOEY, event=MAP), turn])
    assert found[MONICA.name, JOEY.name] == ["per:siblings", "per:negative_impression"]


def test_a_good_feeling_gives_a_positive_impression():
    scene = [says(JOEY, "glad", is_about_you=True)]
    assert relations(scene) == {(JOEY.name, MONICA.name): ["per:positive_impression"]}


def test_relations_residence_relates_speaker_and_place():
    found = relations([says(JOEY, residence="Velm")])
    assert found == {
        (JOEY.name, "Velm"): ["per:place_of_residence"],
        ("Velm", JOEY.name): ["gpe:residents_of_place"],
    }


def test_speakers_without_a_relation_are_unanswerable():
    scene = [says(JOEY, event=MAP), says(MONICA), says(JOEY)]
    assert relations(scene) == {(JOEY.name, MONICA.name): ["unanswerable"]}


def test_entities_are_all_who_speak_or_are_meant():
    assert entities([says(JOEY, event=MAP), says(MONICA)]) == ["joey", "monica", "walt"]


def test_queries_repeat_events_and_residences_with_a_gap():
    scene = [says(JOEY, event=MAP), says(MONICA, event=does(MONICA, "kept")), says(JOEY, residence="Velm")]
    assert list(queries(scene)) == [
        ("The map was lost by [PLACEHOLDER] near the attic.", "walt"),
        ("[PLACEHOLDER] kept the map near the attic.", "monica"),
        ("[PLACEHOLDER] lives in Velm.", "joey"),
    ]


def asked(turn):
    """All questions that some seed asks about a turn, with their answers."""
    found = {}
    for seed in range(30):
        (one,) = questions([turn], dialogue_id="d", draws=Draws(np.random.default_rng(seed)))
        found[one["question"]] = [(answer["text"], answer["is_speaker"]) for answer in one["answers"]]
    return found


def test_questions_about_an_event_have_three_forms():
    assert asked(says(JOEY, event=MAP)) == {
        "Where is the map?": [("the attic", False), ("near the attic", False)],
        "What has Walt lost?": [("The map", False)],
        "Who lost the map?": [("Walt", False)],
    }


def test_questions_agent_i_is_answered_by_the_speaker():
    assert asked(says(JOEY, event=does(JOEY, "kept")))["Who kept the map?"] == [(JOEY.name, True)]


def test_questions_for_pronouns_do_not_ask_for_the_agent():
    he = Event(WALT, "he", "lost", "map", "attic")
    assert set(asked(says(JOEY, event=he))) == {"Where is the map?", "What has Walt lost?"}


def test_annotate_selected_tasks_only():
    dialogue = annotated([says(JOEY, event=MAP), says(MONICA)], tasks=["MELD_emotion_recognition"])
    assert set(dialogue) == {"dialogue_id", "dialogue_metadata", "dialogue"}
    assert dialogue["dialogue_metadata"] == {"MELD_emotion_recognition": None}
    assert set(dialogue["dialogue"][0]) == {"turn_id", "speakers", "utterance", "MELD_emotion_recognition"}
