import json

import pytest

from dfwe.data.friends.annotations import QueryAnnotation
from dfwe.data.friends.raw import reading_comprehension
from dfwe.data.friends.raw.reading_comprehension import EpisodeScenes, recode
from dfwe.data.friends.scene import Turn
from dfwe.errors import DataError

NAME = "reading_comprehension/reading-comprehension-dev.json"
ZIP = "reading_comprehension/json-25.zip"


def query(**fields):
    utterances = [{"speakers": "@ent00", "tokens": "Hum ."}, {"speakers": "", "tokens": "( A bell . )"}]
    made = {"scene_id": "s01_e01_c01", "query": "@placeholder hums .", "answer": "@ent00", "utterances": utterances}
    return made | fields


def read(lay, *queries, **files):
    return reading_comprehension.read(lay({NAME: json.dumps(queries).encode(), **files}))


def test_queries_of_a_scene_come_together(lay):
    (excerpt,) = read(lay, query(), query(query="Near @ent04 , @placeholder hums .")).excerpts
    assert excerpt.turns == (Turn(("@ent00",), "Hum."), Turn((), "( A bell. )"))
    assert excerpt.annotations == (
        QueryAnnotation("@placeholder hums .", "@ent00"),
        QueryAnnotation("Near @ent04 , @placeholder hums .", "@ent00"),
    )
    assert excerpt.codes == {"@ent00", "@ent04"}
    assert (excerpt.scene_id, excerpt.whole) == ("s01_e01_c01", True)


def test_notes_within_what_is_said_go(lay):
    (excerpt,) = read(lay, query(utterances=[{"speakers": "@ent00", "tokens": "( sighs ) Hum ."}])).excerpts
    assert excerpt.turns == (Turn(("@ent00",), "Hum."),)


def test_the_archive_serves_for_the_parts_that_are_missing(raw):
    reading = reading_comprehension.read(raw)
    assert reading.missing == ("reading-comprehension-trn.json", "reading-comprehension-tst.json")
    turns = {excerpt.scene_id: excerpt.turns for excerpt in reading.excerpts}
    assert {name: len(listed) for name, listed in turns.items()} == {
        "s01_e01_c01": 7,
        "s01_e01_c02": 10,  # filled up with the next scene
        "s01_e01_c03": 18,  # filled up in front
    }
    assert turns["s01_e01_c03"][0] == Turn((), "[ Scene: A roof. ]")
    assert (reading.report.num_rows, reading.report.invalid) == (3, ())


def test_archive_queries_get_codes_of_whole_scene(lay, pack):
    seen = [
        {"speakers": "@ent03", "tokens": "Hum ."},
        {"speakers": "", "tokens": "( A bell . )"},
        {"speakers": "@ent00", "tokens": "Ho ."},
    ]
    other = query(utterances=seen, query="@placeholder rings .", answer="@ent03")
    parts = {f"json-25/{part}-25.json": json.dumps([other] if part == "Trn" else []) for part in ("Trn", "Dev", "Tst")}
    (excerpt,) = read(lay, query(), **{ZIP: pack(parts)}).excerpts
    assert set(excerpt.annotations) == {
        QueryAnnotation("@placeholder hums .", "@ent00"),
        QueryAnnotation("@placeholder rings .", "@ent00"),
    }
    assert len(excerpt.turns) == 2


def test_without_the_archive_the_parts_are_missing(lay):
    reading = read(lay, query())
    assert reading.report.num_rows == 1
    assert len(reading.missing) == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scene_id": "x"}, "'x' is not a scene id"),
        ({"query": "Nobody hums ."}, "the query has no @placeholder"),
        ({"query": 7}, "not of the release's form"),
        ({"answer": "Vera"}, "the answer 'Vera' is not a code such as @ent00"),
        ({"answer": None}, "not of the release's form"),
        ({"utterances": []}, "its scene has no utterance"),
        ({"utterances": [{"speakers": "", "tokens": " "}]}, "its scene has no utterance"),
        ({"utterances": [{"speakers": ""}]}, "field 'tokens' is missing"),
        ({"utterances": None}, "not of the release's form"),
    ],
)
def test_unreadable_query_is_an_invalid_row(lay, changes, reason):
    reading = read(lay, query(), query(**changes))
    assert len(reading.excerpts[0].annotations) == 1
    (bad,) = reading.report.invalid
    assert (bad.line, reading.report.num_rows) == (2, 2)
    assert bad.reason.startswith(reason)


@pytest.mark.parametrize(
    ("content", "message"), [(b"{}", "must hold a list"), (b"", "broken JSON"), (b"\xff", "UTF-8")]
)
def test_a_file_that_cannot_be_read_is_an_error(lay, content, message):
    with pytest.raises(DataError, match=rf"reading-comprehension-dev\.json.*{message}"):
        reading_comprehension.read(lay({NAME: content}))


def test_a_member_that_cannot_be_read_is_an_error(lay, pack):
    with pytest.raises(DataError, match=r"json-25\.zip:json-25/Trn-25\.json, line 2, .*broken JSON"):
        reading_comprehension.read(lay({ZIP: pack({"json-25/Trn-25.json": "[\n"})}))


@pytest.mark.parametrize("damage", ["no archive", "cut", "other members", "wrong bytes"])
def test_a_bad_archive_is_an_error(lay, pack, damage):
    good = pack({"json-25/Trn-25.json": "[" + " " * 500 + "]"})
    content = {
        "no archive": b"plums",
        "cut": good[: len(good) // 2],
        "other members": pack({"Trn-25.json": "[]"}),
        "wrong bytes": good.replace(b"[   ", b"[ ! "),
    }[damage]
    with pytest.raises(DataError, match=r"json-25\.zip is not the release's archive"):
        reading_comprehension.read(lay({ZIP: content}))


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
