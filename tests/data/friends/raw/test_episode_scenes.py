import pytest

from dfwe.data.friends.annotations import QueryAnnotation
from dfwe.data.friends.raw.reading_comprehension import EpisodeScenes, recode

ONE, TWO, THREE = "s01_e01_c01", "s01_e01_c02", "s01_e01_c03"


def said(word, number):
    return tuple((f"@ent{k % 2:02d}", f"{word} {k} to @ent{k % 3:02d} .") for k in range(number))


def note(text):
    return (("", f"[ {text} . ]"),)


def filled(*parts, end=False):
    """The first (or last) 25 of all utterances."""
    every = tuple(utterance for part in parts for utterance in part)
    return every[-25:] if end else every[:25]


def test_a_scene_ends_where_the_next_one_begins():
    first, second = said("sing", 9), said("cook", 20)
    cut = EpisodeScenes.of({ONE: filled(first, second), TWO: filled(second, said("dig", 9)), THREE: said("dig", 9)})
    assert cut.utterances_of(ONE) == first
    assert cut.utterances_of(TWO) == second


def test_codes_may_differ_where_scenes_are_compared():
    recoded = tuple((speaker, tokens.replace("@ent", "@ent1")) for speaker, tokens in said("cook", 20))
    cut = EpisodeScenes.of(
        {ONE: filled(said("sing", 9), recoded), TWO: filled(said("cook", 20), said("dig", 9)), THREE: said("dig", 2)}
    )
    assert cut.utterances_of(ONE) == said("sing", 9)


@pytest.mark.parametrize("text", ["Scene : A pier", "scene : a pier", "Time Lapse", "Cut to a pier"])
def test_a_scene_ends_where_a_note_opens_another(text):
    unknown = (*note(text), *said("dig", 20))
    cut = EpisodeScenes.of({ONE: filled(said("sing", 9), unknown), TWO: said("cook", 3)})
    assert cut.utterances_of(ONE) == said("sing", 9)


def test_a_note_at_its_own_beginning_ends_no_scene():
    own = (*note("Scene : A pier"), *said("sing", 9))
    assert (
        EpisodeScenes.of(
            {ONE: filled(own, note("Scene : A hut"), said("dig", 20)), TWO: said("cook", 3)}
        ).utterances_of(ONE)
        == own
    )


def test_a_scene_without_a_sign_stays_whole():
    every = filled(said("sing", 9), said("dig", 20))
    assert EpisodeScenes.of({ONE: every, TWO: said("cook", 3)}).utterances_of(ONE) == every


def test_episode_scenes_ignore_other_episodes():
    every = filled(said("sing", 9), said("cook", 20))
    assert (
        EpisodeScenes.of({ONE: every, "s01_e02_c01": said("cook", 20), TWO: said("dig", 2)}).utterances_of(ONE) == every
    )


def test_the_last_scene_begins_at_its_note():
    own = (*note("Scene : A roof"), *said("cook", 9))
    assert (
        EpisodeScenes.of({ONE: said("sing", 25), TWO: filled(said("sing", 25), own, end=True)}).utterances_of(TWO)
        == own
    )


def test_episode_scenes_later_id_shows_scene_is_not_last():
    own = said("hum", 4)
    cut = EpisodeScenes.of(
        {ONE: said("sing", 25), TWO: filled(own, note("Scene : A hut"), said("dig", 20))}, other_ids=[THREE]
    )
    assert cut.utterances_of(TWO) == own


def test_last_scene_begins_after_the_previous_one():
    first, last = said("sing", 25), said("cook", 9)
    cut = EpisodeScenes.of({TWO: said("hum", 4), ONE: said("dig", 5), THREE: filled(first, last, end=True)})
    assert cut.utterances_of(THREE) == filled(first, last, end=True)
    # whatever order the scenes come in
    cut = EpisodeScenes.of({THREE: filled(first, last, end=True), TWO: first, ONE: said("dig", 5)})
    assert cut.utterances_of(THREE) == last


def test_fill_of_last_scene_does_not_end_the_previous():
    # the last scene's record begins with utterances of the scene before
    first, last = said("sing", 9), (*note("Scene : A roof"), *said("cook", 18))
    cut = EpisodeScenes.of({ONE: filled(first, last), TWO: filled(first, last, end=True)})
    assert cut.utterances_of(ONE) == first
    assert cut.utterances_of(TWO) == last


def test_a_scene_of_one_utterance_stays():
    assert EpisodeScenes.of({ONE: said("sing", 1)}).utterances_of(ONE) == said("sing", 1)


def renumbered(utterances):
    """Codes in the other order."""
    swap = {"@ent00": "@ent07", "@ent01": "@ent05", "@ent02": "@ent06"}
    return tuple(
        (swap.get(speaker, speaker), " ".join(swap.get(token, token) for token in tokens.split()))
        for speaker, tokens in utterances
    )


@pytest.mark.parametrize("before", [0, 4])
def test_a_query_gets_the_codes_of_the_whole_scene(before):
    known = said("sing", 9)
    seen = (*said("hum", before), *renumbered(known))
    query = recode(QueryAnnotation("@ent05 and @placeholder and @ent09", "@ent07"), excerpt=seen, scene=known)
    # ent09 speaks in what was added: no code of the scene stands for it
    assert query == QueryAnnotation("@ent01 and @placeholder and @ent50", "@ent00")


def test_an_answer_that_the_scene_lacks_gets_a_new_code():
    known = said("sing", 9)
    assert recode(QueryAnnotation("@placeholder", "@ent09"), excerpt=renumbered(known), scene=known).answer == "@ent50"


@pytest.mark.parametrize("known", [(), said("cook", 9)])
def test_recode_without_whole_scene_keeps_query(known):
    query = QueryAnnotation("@ent05 and @placeholder", "@ent07")
    assert recode(query, excerpt=said("sing", 9), scene=known) == query
