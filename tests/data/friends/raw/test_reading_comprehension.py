import json

import pytest

from dfwe.data.friends.annotations import QueryAnnotation
from dfwe.data.friends.raw import reading_comprehension
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
