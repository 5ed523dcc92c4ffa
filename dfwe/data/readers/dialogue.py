"""The one check of a dialogue in the TLiDB format, for whoever reads some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfwe.data.readers.base import Dialogue
from dfwe.errors import DataError


def checked_dialogue(value: Any, *, where: str) -> Dialogue:
    """Return the dialogue as it is; `where` is how messages name its place.

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
        wrong = _wrong(turn)
        if wrong:
            raise DataError(f"{where}: turn {position} of dialogue '{dialogue_id}' {wrong}")
    if not isinstance(value.get("dialogue_metadata", {}), Mapping):
        raise DataError(f"{where}: 'dialogue_metadata' of dialogue '{dialogue_id}' must be an object")
    return value


def _wrong(turn: Any) -> str:
    if not isinstance(turn, Mapping):
        return "must be an object with 'speakers' and 'utterance'"
    if not isinstance(turn.get("utterance"), str):
        return "needs 'utterance', a text"
    speakers = turn.get("speakers")
    if not isinstance(speakers, list) or not all(isinstance(speaker, str) for speaker in speakers):
        found = f", not the text '{speakers[:40]}'" if isinstance(speakers, str) else ""
        return f"needs 'speakers', a list of names{found}"
    return ""
