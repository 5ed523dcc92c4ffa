import pytest

from dfwe.data.toy_multitask.world import OPINIONS, SLOTS, WORLD, opposite, third_person

CONCEPTS = [concept for slots in WORLD.values() for concepts in slots.values() for concept in concepts]


def test_no_word_means_two_things():
    opinions = [word for words in OPINIONS.values() for word in words]
    kinds = list(dict.fromkeys(concept.kind for concept in CONCEPTS if concept.kind))
    words = [word for concept in CONCEPTS for word in concept.words] + opinions + kinds
    places_named_as_topics = {"kitchen", "garden", "harbour", "workshop", "market", "school"}
    assert len(words) == len(set(words)) == 208 + 40 + 16
    assert set(words) & set(WORLD) == places_named_as_topics


def test_every_topic_has_every_slot_and_concepts_know_theirs():
    for topic, slots in WORLD.items():
        assert set(slots) == set(SLOTS)
        assert all((one.topic, one.slot) == (topic, slot) for slot, concepts in slots.items() for one in concepts)


def test_things_and_only_these_have_a_wider_word():
    assert all(bool(concept.kind) == (concept.slot == "thing") for concept in CONCEPTS)


def test_the_opposite_of_the_opposite_is_the_deed_itself():
    for deed in (concept for concept in CONCEPTS if concept.slot == "deed"):
        assert opposite(opposite(deed)) == deed != opposite(deed)
    assert opposite(WORLD["market"]["deed"][0]).words == ("sell", "vend")


@pytest.mark.parametrize(
    ("verb", "form"),
    [("mend", "mends"), ("push", "pushes"), ("bury", "buries"), ("play", "plays"), ("release", "releases")],
)
def test_what_somebody_does_ends_in_s(verb, form):
    assert third_person(verb) == form
