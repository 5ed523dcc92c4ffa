"""MELD (Poria et al., 2019): utterances with an emotion, in numbered dialogues without scene ids."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dfwe.data.friends.annotations import MELD
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.raw.emotions import Utterance, dialogues, number_of, read_utterances
from dfwe.data.friends.raw.files import label_of, read_release
from dfwe.data.readers.base import RowReport

LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
_FILES = ("train_sent_emo.csv", "dev_sent_emo.csv", "test_sent_emo.csv")
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID")
# the release was saved once in the wrong encoding: these are Windows quotation marks
_REPAIR = str.maketrans({"\x91": "'", "\x92": "'", "\x93": '"', "\x94": '"', "\x85": "...", "\x96": "-", "\x97": "-"})


def read(folder: Path) -> Reading:
    """Read the dialogues of `meld/{train,dev,test}_sent_emo.csv`."""
    return read_release("MELD", folder=folder / "meld", files=_FILES, read=_file)


def _file(path: Path) -> tuple[list[Excerpt], RowReport]:
    utterances, rows = read_utterances(path, columns=_COLUMNS, read=_utterance)
    part = path.name.split("_")[0]
    key = f"meld_{part}_{{:04d}}".format
    return dialogues(utterances, release="MELD", task=MELD, key=key, last=True), rows


def _utterance(row: Mapping[str, str]) -> Utterance:
    text = row["Utterance"].translate(_REPAIR).strip()
    if not text:
        raise ValueError("the utterance is empty")
    label = label_of(row["Emotion"], labels=LABELS)
    return Utterance(int(row["Dialogue_ID"]), number_of(row), Turn((row["Speaker"],), text), label)
