import pytest

from dfwe.data.synthetic.sentences.lexicon import OPINIONS, SLOTS, WORLD, opposite, third_person

CONCEPTS = [concept for slots in WORLD.values() for concepts in slots.values() for concept in concepts]


def test_words_have_one_meaning():
    opinions = [word for words in OPINIONS.values() for word in words]
    kinds = list(dict.fromkeys(concept.kind for concept in CONCEPTS if concept.kind))
    words = [word for concept in CONCEPTS for word in concept.words] + opinions + kinds
    places_named_as_topics = {"kitchen", "garden", "harbour", "workshop", "market", "school"}
    assert len(words) == len(set(words)) == 208 + 40 + 16
    assert set(words) & set(WORLD) == places_named_as_topics


def test_topics_have_every_slot():
    for topic, slots in WORLD.items():
        assert set(slots) == set(SLOTS)
        assert all((one.topic, one.slot) == (topic, slot) for slot, concepts in slots.items() for one in concepts)


def test_only_things_have_a_general_word():
    assert all(bool(concept.kind) == (concept.slot == "thing") for concept in CONCEPTS)


def test_opposite_twice_is_the_same_action():
    for deed in (concept for concept in CONCEPTS if concept.slot == "action"):
        assert opposite(opposite(deed)) == deed != opposite(deed)
    assert opposite(WORLD["market"]["action"][0]).words == ("sell", "vend")


@pytest.mark.parametrize(
    ("verb", "form"),
    [("mend", "mends"), ("push", "pushes"), ("bury", "buries"), ("play", "plays"), ("release", "releases")],
)
def test_third_person_ends_in_s(verb, form):
    assert third_person(verb) == form
