"""FETA-Friends in the format of TLiDB: one JSON file and lists of dialogue ids."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any

from dfwe.data.few_shot import FEW_SHOT
from dfwe.data.readers.base import Corpus, Dialogue, Reader
from dfwe.errors import DataError
from dfwe.io.files import decoded, make_folder, write_text
from dfwe.io.strict_json import loads
from dfwe.records import SPLITS, Split

FOLDER = "TLiDB_Friends"
DIALOGUES = "TLiDB_Friends.json"
_FEW_SHOT_SPLITS: tuple[Split, ...] = ("train", "dev")


@dataclass(frozen=True)
class Tlidb(Reader):
    """The data set below `root`, with the few-shot lists beside it."""

    root: Path | str  # the folder that holds TLiDB_Friends

    def read(self) -> Corpus:
        """Read the corpus and check the ids against the dialogues.

        Raises:
            DataError: a file is missing or broken; a dialogue id occurs twice or not at all; it is in two splits, or in
                a few-shot list and not in its split.
        """
        folder = Path(self.root) / FOLDER
        shares = _shares(folder)
        lists = [_list_of(split) for split in SPLITS]
        # both lists are required, so that an error names the missing one of a broken data set
        lists += [_few_shot_list(share, split) for share in shares for split in _FEW_SHOT_SPLITS]
        contents = {name: _read(folder / name, root=Path(self.root)) for name in (DIALOGUES, *lists)}
        dialogues = _parse(contents[DIALOGUES], path=folder / DIALOGUES)
        ids = {name: tuple(decoded(contents[name], where=str(folder / name)).split()) for name in lists}
        splits = {split: ids[_list_of(split)] for split in SPLITS}
        for split in SPLITS:
            _check_ids(splits[split], known=dialogues, where=DIALOGUES, path=folder / _list_of(split))
        _check_disjoint(splits, folder=folder)
        few_shot = {share: {split: ids[_few_shot_list(share, split)] for split in _FEW_SHOT_SPLITS} for share in shares}
        for share, split in product(shares, _FEW_SHOT_SPLITS):
            path = folder / _few_shot_list(share, split)
            _check_ids(few_shot[share][split], known=set(splits[split]), where=_list_of(split), path=path)
        return Corpus(dialogues, splits, digest=_digest(contents), origin=str(folder), few_shot=few_shot)


def write_tlidb(
    folder: Path, *, content: str, splits: Mapping[str, Sequence[str]], few_shot: Mapping[str, Sequence[str]]
) -> Path:
    """Write a data set below the folder: its JSON text, and the sorted lists of its splits and few-shot parts.

    Raises:
        OutputError: the folder cannot be written to.
    """
    lists = {_list_of(split): ids for split, ids in splits.items()}
    lists |= {_few_shot_list(str(FEW_SHOT), split): ids for split, ids in few_shot.items()}
    files = {name: "".join(f"{dialogue_id}\n" for dialogue_id in sorted(ids)) for name, ids in lists.items()}
    make_folder(folder / FOLDER)
    for name, text in {DIALOGUES: content, **files}.items():
        write_text(folder / FOLDER / name, text)
    return folder / FOLDER


def check_dialogue(value: Any, *, where: str) -> Dialogue:
    """Return the dialogue unchanged; `where` names its place in messages.

    Raises:
        DataError: it is not an object with a 'dialogue_id' and, under 'dialogue', a list of turns, each with 'speakers'
            (a list of names, never one text) and 'utterance' (a text); or its 'dialogue_metadata' is not an object.
    """
    dialogue_id = value.get("dialogue_id") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(dialogue_id, str):
        raise DataError(f"{where}: a dialogue must be an object with 'dialogue_id', a text, and 'dialogue'")
    turns = value.get("dialogue")
    if not isinstance(turns, list):
        raise DataError(f"{where}: dialogue '{dialogue_id}' has no list of turns under 'dialogue'")
    for position, turn in enumerate(turns):
        mistake = _turn_mistake(turn)
        if mistake:
            raise DataError(f"{where}: turn {position} of dialogue '{dialogue_id}' {mistake}")
    if not isinstance(value.get("dialogue_metadata", {}), Mapping):
        raise DataError(f"{where}: 'dialogue_metadata' of dialogue '{dialogue_id}' must be an object")
    return value


def _turn_mistake(turn: Any) -> str:
    if not isinstance(turn, Mapping):
        return "must be an object with 'speakers' and 'utterance'"
    if not isinstance(turn.get("utterance"), str):
        return "needs 'utterance', a text"
    speakers = turn.get("speakers")
    if not isinstance(speakers, list) or not all(isinstance(speaker, str) for speaker in speakers):
        text = f", not the text '{speakers[:40]}'" if isinstance(speakers, str) else ""
        return f"needs 'speakers', a list of names{text}"
    return ""


def _shares(folder: Path) -> list[str]:
    """Return the fractions, as in file names, for which the folder holds few-shot lists."""
    names = [path.name for path in folder.glob(_few_shot_list("*", "*"))]
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


def _parse(content: bytes, *, path: Path) -> dict[str, Dialogue]:
    loaded = loads(decoded(content, where=str(path)), where=str(path))
    if not isinstance(loaded, Mapping) or not isinstance(loaded.get("data"), list):
        raise DataError(f"{path} must hold an object whose 'data' is a list of dialogues")
    dialogues: dict[str, Dialogue] = {}
    for number, dialogue in enumerate(loaded["data"], start=1):
        dialogue_id = check_dialogue(dialogue, where=f"{path}: dialogue number {number}")["dialogue_id"]
        if dialogue_id in dialogues:
            raise DataError(f"{path} holds dialogue '{dialogue_id}' twice: ids must differ")
        dialogues[dialogue_id] = dialogue
    return dialogues


def _check_ids(ids: Sequence[str], *, known: Collection[str], where: str, path: Path) -> None:
    seen: set[str] = set()
    for dialogue_id in ids:
        if dialogue_id not in known:
            raise DataError(f"{path} lists dialogue '{dialogue_id}', which {where} does not hold")
        if dialogue_id in seen:
            raise DataError(f"{path} lists dialogue '{dialogue_id}' twice")
        seen.add(dialogue_id)


def _check_disjoint(splits: Mapping[Split, Sequence[str]], *, folder: Path) -> None:
    for one, other in combinations(splits, 2):
        if both := set(splits[one]) & set(splits[other]):
            raise DataError(
                f"{folder / _list_of(other)} lists dialogue '{min(both)}', which {_list_of(one)} lists: a dialogue "
                "must be in one split alone"
            )


def _digest(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
