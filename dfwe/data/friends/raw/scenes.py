"""Releases of whole scenes in JSON.

The season files (Chen and Choi, 2016) and character identification (Zhou and Choi, 2018) have one layout, FriendsQA
(Yang and Choi, 2019) another: questions about scenes, answered by words of a turn or by its speaker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import MentionAnnotation, QuestionAnnotation, QuestionAnswer
from dfwe.data.friends.raw.files import convert, json_records, names_of, read_release, records, scene_id, text_of
from dfwe.data.friends.scene import Excerpt, Reading, Turn
from dfwe.data.friends.words import detokenise
from dfwe.data.readers.base import RowReport
from dfwe.io.files import read_text

_NUM_SEASONS = 10
_PARTS = ("trn", "dev", "tst")
_NOTE = "#NOTE#"  # the speaker of stage directions in FriendsQA


def read_seasons(folder: Path) -> Reading:
    """Read the scenes of `character_mining/friends_season_*.json`: text only, for scenes that no task has whole."""
    files = [f"friends_season_{season:02d}.json" for season in range(1, _NUM_SEASONS + 1)]
    root = folder / "character_mining"
    return read_release("season files", folder=root, files=files, read=partial(read_scenes, read=_excerpt))


def read_scenes(path: Path, *, read: Callable[[Mapping[str, Any]], Excerpt]) -> tuple[list[Excerpt], RowReport]:
    """Read the scenes of a file with `read`; they are counted from 1."""
    episodes = json_records(read_text(path), name=str(path), key="episodes")
    numbered = [
        scene
        for number, episode in enumerate(episodes, start=1)
        for scene in records(episode, name=f"{path}: episode number {number}", key="scenes")
    ]
    return convert(enumerate(numbered, start=1), path=path, read=read)


def scene_of(scene: Mapping[str, Any]) -> tuple[str, tuple[Turn, ...]]:
    """Return a scene's id and its turns, one per utterance, stage directions included."""
    turns = tuple(
        Turn(names_of(u["speakers"]), " ".join((u["transcript"] or u.get("transcript_with_note") or "").split()))
        for u in scene["utterances"]
    )
    return scene_id(scene["scene_id"]), turns


def _excerpt(scene: Mapping[str, Any]) -> Excerpt:
    name, turns = scene_of(scene)
    texts = tuple(turn for turn in turns if turn.text)
    return Excerpt("season files", f"season_{name}", texts, scene_id=name, whole=True)


def read_mentions(folder: Path) -> Reading:
    """Read the scenes of `character_identification/character-identification-*.json`."""
    files = [f"character-identification-{part}.json" for part in _PARTS]
    root, read = folder / "character_identification", partial(read_scenes, read=_mention_scene)
    return read_release("character identification", folder=root, files=files, read=read)


def _mention_scene(scene: Mapping[str, Any]) -> Excerpt:
    name, turns = scene_of(scene)
    annotations = tuple(
        mention
        for number, utterance in enumerate(scene["utterances"])
        for mention in _mentions(utterance, turn=number, text=turns[number].text)
    )
    return Excerpt("character identification", f"characters_{name}", turns, annotations, scene_id=name, whole=True)


def _mentions(utterance: Mapping[str, Any], *, turn: int, text: str) -> Iterator[MentionAnnotation]:
    end = 0
    for tokens, entities in zip(utterance["tokens"], utterance["character_entities"], strict=True):
        spans = []
        for token in tokens:
            start = text.find(token, end)
            # a token that was changed in tokenising stands where the last one ended
            start, end = (end, end) if start < 0 else (start, start + len(token))
            spans.append((start, end))
        for first, last, *names in sorted(entities, key=lambda entity: (entity[0], entity[1])):
            begin, stop = spans[first][0], spans[last - 1][1]
            yield MentionAnnotation(turn, begin, text[begin:stop], str(names[0]))


def read_friendsqa(folder: Path) -> Reading:
    """Read the scenes of `question_answering/friendsqa_*.json`."""
    files = [f"friendsqa_{part}.json" for part in _PARTS]
    return read_release("FriendsQA", folder=folder / "question_answering", files=files, read=_friendsqa_file)


def _friendsqa_file(path: Path) -> tuple[list[Excerpt], RowReport]:
    content = json_records(read_text(path), name=str(path), key="data")
    return convert(enumerate(content, start=1), path=path, read=_question_scene)


def _question_scene(record: Mapping[str, Any]) -> Excerpt:
    name = scene_id(record["title"])
    (paragraph,) = record["paragraphs"]
    utterances = paragraph["utterances:"]  # the key is spelt so
    turns = tuple(Turn(_speakers(u), detokenise(u["utterance"])) for u in utterances)
    numbers = {u["uid"]: number for number, u in enumerate(utterances)}
    annotations = tuple(_question(qa, numbers=numbers) for qa in paragraph["qas"])
    return Excerpt("FriendsQA", f"questions_{name}", turns, annotations, scene_id=name, whole=True)


def _question(qa: Mapping[str, Any], *, numbers: Mapping[int, int]) -> QuestionAnnotation:
    answers = tuple(
        QuestionAnswer(numbers[a["utterance_id"]], detokenise(a["answer_text"]), bool(a["is_speaker"]))
        for a in qa["answers"]
    )
    return QuestionAnnotation(question_id=text_of(qa["id"]), text=detokenise(qa["question"]), answers=answers)


def _speakers(utterance: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in names_of(utterance["speakers"]) if name != _NOTE)
