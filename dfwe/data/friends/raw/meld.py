"""MELD (Poria et al., 2019): utterances with an emotion, dialogues by number; the scene is not told."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from dfwe.data.bad_rows import Rows
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.marks import MELD, Emotion
from dfwe.data.friends.raw.files import convert, label_of, present, table

LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
# the release was saved once in the wrong encoding: these are Windows quotation marks
_REPAIR = str.maketrans({"\x91": "'", "\x92": "'", "\x93": '"', "\x94": '"', "\x85": "...", "\x96": "-", "\x97": "-"})


def read(folder: Path) -> Reading:
    """The dialogues of `meld/{train,dev,test}_sent_emo.csv`."""
    paths, missing = present(folder / "meld", names=[f"{part}_sent_emo.csv" for part in ("train", "dev", "test")])
    excerpts: list[Excerpt] = []
    rows = Rows(0)
    for path in paths:
        utterances, part_rows = convert(table(path, columns=_COLUMNS), path=path, read=_utterance)
        rows += part_rows
        for dialogue, group in groupby((utterance for _, utterance in utterances), key=lambda item: item[0]):
            lines = [(turn, label) for _, turn, label in group]
            excerpts.append(
                Excerpt(
                    release="MELD",
                    key=f"meld_{path.name.split('_')[0]}_{dialogue:04d}",
                    turns=tuple(turn for turn, _ in lines),
                    marks=tuple(Emotion(MELD, number, label, last=True) for number, (_, label) in enumerate(lines)),
                    divisible=True,
                )
            )
    return Reading("MELD", tuple(excerpts), rows, missing)


def _utterance(row: dict[str, str]) -> tuple[int, Turn, str]:
    text = row["Utterance"].translate(_REPAIR).strip()
    if not text:
        raise ValueError("the utterance is empty")
    return int(row["Dialogue_ID"]), Turn((row["Speaker"],), text), label_of(row["Emotion"], labels=LABELS)
