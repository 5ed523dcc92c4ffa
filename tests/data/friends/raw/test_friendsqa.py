import json

import pytest

from dfwe.data.friends.annotations import QuestionAnswer
from dfwe.data.friends.raw import scenes
from dfwe.data.friends.scene import Turn
from dfwe.errors import DataError

NAME = "question_answering/friendsqa_trn.json"


@pytest.fixture
def read(files, lay):
    """Reads the release after a change of its first scene."""

    def _read(change=lambda scene: None):
        content = json.loads(files[NAME])
        change(content["data"][0])
        return scenes.read_friendsqa(lay({NAME: json.dumps(content).encode()}))

    return _read


def test_scenes_are_whole_and_detokenised(read):
    scene = read().excerpts[0]
    assert (scene.scene_id, scene.whole) == ("s01_e01_c01", True)
    assert scene.turns[0] == Turn((), "[ Scene: A kitchen, the table is full of plums. ]")
    assert scene.turns[2] == Turn(("Ross Geller",), "Wash mine too, I dropped them near the goat pen.")
    assert scene.turns[6].speakers == ("#ALL#",)


def test_questions_have_all_their_answers(read):
    first, second = read().excerpts[0].annotations
    assert (first.question_id, first.text) == ("s01_e01_c01_What", "What does Monica wash?")
    assert first.answers == (QuestionAnswer(1, "forty plums", False), QuestionAnswer(1, "plums", False))
    assert second.answers == (QuestionAnswer(2, "Ross Geller", True),)


def test_answers_name_utterances_by_their_numbers(read):
    def renumber(scene):
        for utterance in scene["paragraphs"][0]["utterances:"]:
            utterance["uid"] += 10
        for qa in scene["paragraphs"][0]["qas"]:
            for answer in qa["answers"]:
                answer["utterance_id"] += 10

    assert read(renumber) == read()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda scene: scene.update(title="kitchen"), "'kitchen' is not a scene id"),
        (lambda scene: scene.update(title=None), "not of the release's form"),
        (lambda scene: scene.pop("paragraphs"), "field 'paragraphs' is missing"),
        (lambda scene: scene.update(paragraphs=[]), "not enough values"),
        (lambda scene: scene["paragraphs"][0].pop("utterances:"), "field 'utterances:' is missing"),
        (lambda scene: scene["paragraphs"][0].update({"utterances:": [], "qas": []}), "it has no turn"),
        (lambda scene: scene["paragraphs"][0]["utterances:"][0].update(speakers="Ada"), "expected a list of names"),
        (lambda scene: scene["paragraphs"][0]["utterances:"][0].update(utterance=3), "not of the release's form"),
        (lambda scene: scene["paragraphs"][0]["qas"][0]["answers"][0].update(utterance_id=99), "field 99 is missing"),
        (lambda scene: scene["paragraphs"][0].update(qas=[None]), "not of the release's form"),
    ],
)
def test_unreadable_scene_is_an_invalid_row(read, change, reason):
    reading = read(change)
    assert [excerpt.scene_id for excerpt in reading.excerpts] == ["s02_e01_c01"]
    (bad,) = reading.report.invalid
    assert (bad.line, reading.report.num_rows) == (1, 2)
    assert bad.reason.startswith(reason)


@pytest.mark.parametrize("content", ["[]", '{"data": {}}', '{"scenes": []}', "7"])
def test_another_top_level_is_an_error(lay, content):
    with pytest.raises(DataError, match=r"friendsqa_trn\.json must be an object with a list 'data'"):
        scenes.read_friendsqa(lay({NAME: content.encode()}))


@pytest.mark.parametrize("content", ["", "{"])
def test_broken_json_is_an_error(lay, content):
    with pytest.raises(DataError, match=r"friendsqa_trn\.json, line 1, column \d: broken JSON"):
        scenes.read_friendsqa(lay({NAME: content.encode()}))
