from dataclasses import replace

import pytest

from dfwe.data.prompts.dialogues import CharacterIdentification, phrase
from dfwe.errors import DataError

PROMPT = CharacterIdentification(task="character_identification", labels=("monica", "ross", "other"))
CONTEXT = (
    "context: Ada Pike: The kettle is cold. ( A bell rings. ) Ada Pike Ben Lowe: Who is it? "
    "Ben Lowe: My aunt, she brought you a cake."
)


def ask(dialogue, *, prompt=PROMPT, max_words=0):
    return list(prompt.instances(dialogue, max_words=max_words, seed=0))


def test_each_mention_of_a_turn_is_asked_about(dialogue):
    aunt, you = ask(dialogue)
    question = " Out of monica or ross or other, '{}' in the phrase '{}' refers to"
    assert aunt.source == CONTEXT + question.format("aunt", "aunt, she brought you")
    assert you.source == CONTEXT + question.format("you", "aunt, she brought you")
    assert (you.targets, you.references, you.candidates) == (("monica",), ("monica",), PROMPT.labels)
    assert you.instance_id == "d1_t3_mention1"


def test_the_context_is_cut_and_the_phrase_stays(dialogue):
    source = ask(dialogue, max_words=8)[0].source
    assert source == (
        "context:  Out of monica or ross or other, 'aunt' in the phrase 'aunt, she brought you' refers to"
    )


@pytest.mark.parametrize(
    ("mention", "expected"),
    [
        ("one", "one two three four"),  # 1 word through it, 7 on
        ("four", "four five six seven."),  # 4 words through it, 4 on: a tie goes to the words from it on
        ("five", "two three four five"),  # 5 against 3
        ("seven", "four five six seven."),  # through it is one character more, the full stop
    ],
)
def test_the_phrase_is_the_longer_side_and_at_most_four_words(mention, expected):
    utterance = "one two three four five six seven."
    assert phrase(utterance, start=utterance.index(mention), length=len(mention)) == expected


def test_an_unknown_entity_is_an_error(dialogue):
    dialogue["dialogue"][3]["character_identification"][0]["normalized_entity"] = "gran"
    with pytest.raises(DataError, match="dialogue 'd1', instance 'd1_t3_mention0': unknown label 'gran'"):
        ask(dialogue)


def test_without_gold_entities_mentions_are_still_asked_about(dialogue):
    for mention in dialogue["dialogue"][3]["character_identification"]:
        del mention["normalized_entity"], mention["instance_id"]
    instances = ask(dialogue, prompt=replace(PROMPT, unlabelled=True))
    assert [one.instance_id for one in instances] == ["d1_t3_mention0", "d1_t3_mention1"]
    assert [one.targets for one in instances] == [(), ()]
