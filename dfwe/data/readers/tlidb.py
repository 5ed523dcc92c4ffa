"""Reads FETA-Friends in the format of TLiDB: one JSON file and lists of dialogue ids."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.data.readers.base import Corpus, Dialogue, Reader
from dfwe.errors import DataError
from dfwe.records import Split

FOLDER = "TLiDB_Friends"
DIALOGUES = "TLiDB_Friends.json"
_SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_FEW_SHOT_SPLITS: tuple[Split, ...] = ("train", "dev")


@dataclass(frozen=True)
class Tlidb(Reader):
    """The data set below `root`, with whatever few-shot lists lie beside it."""

    root: Path | str  # the folder that holds TLiDB_Friends

    def read(self) -> Corpus:
        """The corpus, its ids checked against the dialogues.

        Raises:
            DataError: a file that is missing or broken, a dialogue id that occurs twice or not at all.
        """
        contents = {path.name: _read(path, root=Path(self.root)) for path in self._paths()}
        dialogues = _parse(contents[DIALOGUES], path=self._folder / DIALOGUES)
        ids = {name: tuple(text.split()) for name, text in _texts(contents).items() if name != DIALOGUES}
        for name, listed in ids.items():
            _check_ids(listed, known=dialogues, path=self._folder / name)
        return Corpus(
            dialogues=dialogues,
            splits={split: ids[_list_of(split)] for split in _SPLITS},
            digest=_digest(contents),
            origin=str(self._folder),
            few_shot={
                share: {split: ids[_few_shot_list(share, split)] for split in _FEW_SHOT_SPLITS}
                for share in self._shares()
            },
        )

    @property
    def _folder(self) -> Path:
        return Path(self.root) / FOLDER

    def _paths(self) -> list[Path]:
        names = [DIALOGUES, *(_list_of(split) for split in _SPLITS)]
        # a few-shot list of one split alone is a broken data set: both are asked for, and the missing one is named
        names += [_few_shot_list(share, split) for share in self._shares() for split in _FEW_SHOT_SPLITS]
        return [self._folder / name for name in names]

    def _shares(self) -> list[str]:
        """The shares, as file names have them, for which the folder holds few-shot lists."""
        names = [path.name for path in self._folder.glob(_few_shot_list("*", "*"))]
        matches = (re.fullmatch(_few_shot_list(r"(0?\.\d+)", "(?:train|dev)"), name) for name in names)
        return sorted({match[1] for match in matches if match})


def _list_of(split: str) -> str:
    return f"TTiDB_{split}_ids.txt"


def _few_shot_list(share: str, split: str) -> str:
    return f"TTiDB_{share}_percent_few_shot_{split}_ids.txt"


def _read(path: Path, *, root: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing: data.root must be the folder that holds {FOLDER}, with {DIALOGUES} and the "
            f"lists TTiDB_train_ids.txt, TTiDB_dev_ids.txt and TTiDB_test_ids.txt in it; it is '{root}'"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _texts(contents: Mapping[str, bytes]) -> dict[str, str]:
    try:
        return {name: content.decode("utf-8") for name, content in contents.items()}
    except UnicodeDecodeError as error:
        raise DataError(f"the files of {FOLDER} must be UTF-8 text: {error}") from error


def _parse(content: bytes, *, path: Path) -> dict[str, Dialogue]:
    try:
        loaded = json.loads(content)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}, column {error.colno}: broken JSON: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be UTF-8 text: {error}") from error
    if not isinstance(loaded, Mapping) or not isinstance(loaded.get("data"), list):
        raise DataError(f"{path} must hold an object whose 'data' is a list of dialogues")
    dialogues: dict[str, Dialogue] = {}
    for number, dialogue in enumerate(loaded["data"], start=1):
        dialogue_id = _check_dialogue(dialogue, number=number, path=path)
        if dialogue_id in dialogues:
            raise DataError(f"{path} holds dialogue '{dialogue_id}' twice: ids must differ")
        dialogues[dialogue_id] = dialogue
    return dialogues


def _check_dialogue(dialogue: Any, *, number: int, path: Path) -> str:
    dialogue_id = dialogue.get("dialogue_id") if isinstance(dialogue, Mapping) else None
    if not isinstance(dialogue_id, str):
        raise DataError(f"{path}: dialogue number {number} has no 'dialogue_id'")
    turns = dialogue.get("dialogue")
    if not isinstance(turns, list):
        raise DataError(f"{path}: dialogue '{dialogue_id}' has no list of turns under 'dialogue'")
    for position, turn in enumerate(turns):
        if not _is_turn(turn):
            raise DataError(
                f"{path}: turn {position} of dialogue '{dialogue_id}' needs 'speakers', a list of names, and "
                "'utterance', a text"
            )
    return dialogue_id


def _is_turn(turn: Any) -> bool:
    if not isinstance(turn, Mapping) or not isinstance(turn.get("utterance"), str):
        return False
    speakers = turn.get("speakers")
    return isinstance(speakers, list) and all(isinstance(speaker, str) for speaker in speakers)


def _check_ids(ids: Sequence[str], *, known: Mapping[str, Dialogue], path: Path) -> None:
    seen: set[str] = set()
    for dialogue_id in ids:
        if dialogue_id not in known:
            raise DataError(f"{path} lists dialogue '{dialogue_id}', which {DIALOGUES} does not hold")
        if dialogue_id in seen:
            raise DataError(f"{path} lists dialogue '{dialogue_id}' twice")
        seen.add(dialogue_id)


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
