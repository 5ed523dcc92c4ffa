import pytest

from dfwe.data.toy.dialogue import Deed, Mood, Turn
from dfwe.data.toy.lexicon import OUTSIDERS, SPEAKERS

CHANDLER, JOEY, MONICA, *_ = SPEAKERS
WALT = OUTSIDERS[0]


def feeling(mood):
    return Turn(JOEY, MONICA, mood=mood).feeling.name


def test_a_cue_shows_its_feeling():
    assert feeling(Mood("furious", "am")) == "rage"


def test_a_denied_cue_shows_the_opposite():
    assert feeling(Mood("furious", "feel", is_denied=True)) == "calm"


def test_after_but_only_the_second_cue_counts():
    mood = Mood("weepy", "am", before="merry")
    assert feeling(mood) == "gloom"
    assert Turn(JOEY, MONICA, mood=mood).utterance == "I was merry but now I am weepy."


def test_two_cues_stand_together():
    turn = Turn(JOEY, MONICA, mood=Mood("giddy", "feel", pair="glad"))
    assert (turn.utterance, turn.feeling.name) == ("I feel giddy and glad.", "glee")


def test_a_turn_without_a_mood_feels_plain():
    turn = Turn(JOEY, MONICA, filler="It is noon.")
    assert (turn.utterance, turn.feeling.name) == ("It is noon.", "plain")


@pytest.mark.parametrize(
    ("is_denied", "text", "felt"),
    [(False, "You make me icky.", "revulsion"), (True, "You do not make me icky.", "wonder")],
)
def test_a_mood_may_be_due_to_the_person_addressed(is_denied, text, felt):
    turn = Turn(JOEY, MONICA, mood=Mood("icky", "am", is_denied=is_denied, is_about_you=True))
    assert (turn.utterance, turn.feeling.name) == (text, felt)


def test_a_named_agent_turns_the_deed_passive():
    turn = Turn(JOEY, MONICA, deed=Deed(WALT, "Walt", "lost", "map", "attic"))
    assert turn.utterance == "The map was lost by Walt near the attic."


def test_a_pronoun_starts_the_deed():
    turn = Turn(JOEY, MONICA, deed=Deed(WALT, "he", "lost", "map", "attic"))
    assert turn.utterance == "He lost the map near the attic."


def test_behind_an_opener_the_sentence_starts_small():
    deed, mood = Deed(MONICA, "you", "lost", "map", "attic"), Mood("glad", "am")
    turn = Turn(JOEY, MONICA, opener="Sis", kinship="per:siblings", deed=deed, mood=mood)
    assert turn.utterance == "Sis, you lost the map near the attic. I am glad."


def test_behind_an_opener_the_speaker_stays_capital():
    assert Turn(JOEY, MONICA, opener="Monica", home="Velm").utterance == "Monica, I live in Velm."


def test_mentions_know_their_place_and_person():
    deed, mood = Deed(WALT, "Walt", "lost", "map", "attic"), Mood("glad", "am", is_about_you=True)
    turn = Turn(JOEY, MONICA, opener="Monica", deed=deed, mood=mood)
    found = [(mention.text, mention.person) for mention in turn.mentions]
    assert found == [("Monica", MONICA), ("Walt", WALT), ("You", MONICA), ("me", JOEY)]
    for mention in turn.mentions:
        assert turn.utterance[mention.start :].startswith(mention.text)
