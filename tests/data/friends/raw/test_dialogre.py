import json

import pytest

from dfwe.config.tasks import load_task
from dfwe.data.friends.annotations import RelationPair
from dfwe.data.friends.raw import excerpts
from dfwe.data.friends.scene import Turn
from dfwe.data.friends.tasks import RELATION_CODES
from dfwe.errors import DataError


def read(lay, *records):
    return excerpts.read_dialogre(lay({"dialogre/dev.json": json.dumps(records).encode()}))


def pair(**fields):
    return {"x": "Speaker 1", "y": "Vera", "r": ["per:boss"]} | fields


GOOD = (["Speaker 1: Hum."], [pair()])


def test_speakers_stand_before_their_words(lay):
    lines = ["Speaker 1: Hum: ho.", "Speaker 2, Speaker 10: Ha!", "A bell rings.", "Speaker 3:", "Speaker: no"]
    (excerpt,) = read(lay, [lines, []]).excerpts
    assert excerpt.turns == (
        Turn(("Speaker 1",), "Hum: ho."),
        Turn(("Speaker 2", "Speaker 10"), "Ha!"),
        Turn((), "A bell rings."),
        Turn(("Speaker 3",), ""),
        Turn((), "Speaker: no"),
    )
    assert excerpt.annotations[0].speakers == ("Speaker 1", "Speaker 2", "", "Speaker 3", "")
    assert not excerpt.divisible


def test_pairs_have_their_codes_in_order(lay):
    (excerpt,) = read(lay, [GOOD[0], [pair(r=["per:works", "per:boss"]), pair(x="Vera", y="Otto")]]).excerpts
    assert excerpt.annotations[0].pairs == (
        RelationPair("Speaker 1", "Vera", ("per:works", "per:boss")),
        RelationPair("Vera", "Otto", ("per:boss",)),
    )


def test_dialogues_are_numbered_as_in_the_file(lay):
    reading = read(lay, [[], []], GOOD)
    assert [excerpt.key for excerpt in reading.excerpts] == ["dialogre_dev_0002"]
    assert [(bad.line, bad.reason) for bad in reading.report.invalid] == [(1, "it has no turn")]
    assert reading.missing == ("train.json", "test.json")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ([["Hum."]], "not enough values"),
        ([["Hum."], [pair(x="")]], "a pair lacks a name or a relation"),
        ([["Hum."], [pair(y="")]], "a pair lacks a name or a relation"),
        ([["Hum."], [pair(r=[])]], "a pair lacks a name or a relation"),
        ([["Hum."], [pair(r="per:boss")]], "expected a list of names"),
        ([["Hum."], [pair(r=["per:uncle"])]], "unknown label 'per:uncle'"),
        ([["Hum."], [{"x": "Vera"}]], "field 'r' is missing"),
        ([["Hum."], ["pair"]], "not of the release's form"),
        ([[5], []], "not of the release's form"),
        ({"turns": [], "pairs": []}, "not of the release's form"),
        (None, "not of the release's form"),
    ],
)
def test_unreadable_dialogue_is_an_invalid_row(lay, record, reason):
    reading = read(lay, GOOD, record)
    assert len(reading.excerpts) == 1
    (bad,) = reading.report.invalid
    assert bad.line == 2
    assert bad.reason.startswith(reason)


def test_another_top_level_is_an_error(lay):
    with pytest.raises(DataError, match=r"dev\.json must hold a list"):
        excerpts.read_dialogre(lay({"dialogre/dev.json": b'{"data": []}'}))


def test_the_codes_are_the_tasks_labels():
    assert load_task("relation_extraction").labels == RELATION_CODES
