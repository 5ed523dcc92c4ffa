import itertools
from dataclasses import replace

import numpy as np
import pytest

from dfwe.data.synthetic.friends.lexicon import EMOTIONS, OUTSIDERS, SPEAKERS
from dfwe.data.synthetic.friends.scenes import EmotionStatement, Event, SceneTurn, write_scene


@pytest.fixture(scope="module")
def scenes(toy):
    return [write_scene(toy.style, rng=np.random.default_rng(seed)) for seed in range(300)]


def test_nobody_speaks_twice_in_a_row(scenes):
    assert all(before.speaker is not turn.speaker for scene in scenes for before, turn in itertools.pairwise(scene))


def test_scenes_have_the_turns_and_speakers_wanted(scenes, toy):
    assert {len(scene) for scene in scenes} == set(range(toy.style.min_turns, toy.style.max_turns + 1))
    assert {len({turn.speaker for turn in scene}) for scene in scenes} <= {2, 3}


def test_addressee_without_name_is_the_previous_speaker(scenes):
    for scene in scenes:
        assert scene[0].addressee is None or scene[0].opener
        for before, turn in itertools.pairwise(scene):
            is_named = turn.opener and not turn.kinship
            assert turn.addressee is not None
            assert is_named or turn.addressee is before.speaker


def test_pronouns_refer_to_the_last_named_agent(scenes):
    found = 0
    for scene in scenes:
        last = None
        for deed in [turn.event for turn in scene if turn.event]:
            if deed.reference in ("he", "she"):
                found += 1
                assert deed.agent is last
            last = deed.agent if deed.is_named else last
    assert found > 20


def test_first_turn_has_an_event(scenes):
    assert all(scene[0].event for scene in scenes)


def test_scenes_show_every_emotion(scenes):
    assert {turn.emotion.name for scene in scenes for turn in scene} == set(EMOTIONS)


def test_num_cues_takes_the_first_of_the_lexicon(toy):
    style = replace(toy.style, num_cues=2, second_cue=0.0, earlier_cue=0.0)
    scenes = [write_scene(style, rng=np.random.default_rng(seed)) for seed in range(100)]
    used = {turn.statement.cue for scene in scenes for turn in scene if turn.statement}
    assert used == {cue for feeling in EMOTIONS.values() for cue in feeling.cues[:2]}


CHANDLER, JOEY, MONICA, *_ = SPEAKERS
WALT = OUTSIDERS[0]


def feeling(mood):
    return SceneTurn(JOEY, MONICA, statement=mood).emotion.name


def test_cue_shows_its_emotion():
    assert feeling(EmotionStatement("furious", "am")) == "rage"


def test_negated_cue_shows_the_opposite():
    assert feeling(EmotionStatement("furious", "feel", is_negated=True)) == "calm"


def test_after_but_only_the_second_cue_counts():
    mood = EmotionStatement("weepy", "am", earlier_cue="merry")
    assert feeling(mood) == "gloom"
    assert SceneTurn(JOEY, MONICA, statement=mood).utterance == "I was merry but now I am weepy."


def test_two_cues_stand_together():
    turn = SceneTurn(JOEY, MONICA, statement=EmotionStatement("giddy", "feel", second_cue="glad"))
    assert (turn.utterance, turn.emotion.name) == ("I feel giddy and glad.", "glee")


def test_turn_without_statement_is_plain():
    turn = SceneTurn(JOEY, MONICA, filler="It is noon.")
    assert (turn.utterance, turn.emotion.name) == ("It is noon.", "plain")


@pytest.mark.parametrize(
    ("is_denied", "text", "felt"),
    [(False, "You make me icky.", "revulsion"), (True, "You do not make me icky.", "wonder")],
)
def test_statement_about_the_person_addressed(is_denied, text, felt):
    turn = SceneTurn(JOEY, MONICA, statement=EmotionStatement("icky", "am", is_negated=is_denied, is_about_you=True))
    assert (turn.utterance, turn.emotion.name) == (text, felt)


def test_event_with_named_agent_is_passive():
    turn = SceneTurn(JOEY, MONICA, event=Event(WALT, "Walt", "lost", "map", "attic"))
    assert turn.utterance == "The map was lost by Walt near the attic."


def test_event_with_pronoun_is_active():
    turn = SceneTurn(JOEY, MONICA, event=Event(WALT, "he", "lost", "map", "attic"))
    assert turn.utterance == "He lost the map near the attic."


def test_sentence_after_opener_is_lowercased():
    deed, mood = Event(MONICA, "you", "lost", "map", "attic"), EmotionStatement("glad", "am")
    turn = SceneTurn(JOEY, MONICA, opener="Sis", kinship="per:siblings", event=deed, statement=mood)
    assert turn.utterance == "Sis, you lost the map near the attic. I am glad."


def test_speaker_after_opener_stays_capital():
    assert SceneTurn(JOEY, MONICA, opener="Monica", residence="Velm").utterance == "Monica, I live in Velm."


def test_mentions_have_place_and_person():
    deed, mood = Event(WALT, "Walt", "lost", "map", "attic"), EmotionStatement("glad", "am", is_about_you=True)
    turn = SceneTurn(JOEY, MONICA, opener="Monica", event=deed, statement=mood)
    found = [(mention.text, mention.person) for mention in turn.mentions]
    assert found == [("Monica", MONICA), ("Walt", WALT), ("You", MONICA), ("me", JOEY)]
    for mention in turn.mentions:
        assert turn.utterance[mention.start :].startswith(mention.text)
