"""Utterances with an emotion, a row each, as two releases have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dfwe.data.bad_rows import BadRow, Rows, bad_row
from dfwe.data.friends.excerpt import Excerpt, Turn
from dfwe.data.friends.marks import Emotion
from dfwe.data.friends.raw.files import table

NUMBER = "Utterance_ID"  # the column that counts the utterances of a dialogue, in files that have it


@dataclass(frozen=True)
class Utterance:
    """One row."""

    dialogue: Any  # the release's name for it
    number: int | None  # its own, which orders the dialogue; None where the file has none
    turn: Turn
    label: str
    line: int = 0


def read_utterances(
    path: Path, *, columns: Sequence[str], read: Callable[[Mapping[str, str]], Utterance]
) -> tuple[list[Utterance], Rows]:
    """The file's utterances, those of a dialogue together and by their own numbers, where the first of them stands.

    A row that repeats another of its dialogue is bad. One that has the number of another, stands after a higher one, or
    apart from its dialogue, is odd.
    """
    numbered, rows = table(path, columns=columns, read=read)
    dialogues: dict[Any, list[Utterance]] = {}
    bad, odd = list(rows.bad), list(rows.odd)
    last = None
    for line, read_one in numbered:
        utterance = replace(read_one, line=line)
        before = dialogues.setdefault(utterance.dialogue, [])
        first = next((each for each in before if _is_repeated(each, by=utterance)), None)
        if first is not None:
            reason = f"utterance {utterance.number} of its dialogue comes again: line {first.line} has it, too"
            bad.append(bad_row(path, line=line, reason=reason))
            continue
        odd += _disorder(utterance, before=before, apart=utterance.dialogue != last, path=path)
        before.append(utterance)
        last = utterance.dialogue
    ordered = [each for group in dialogues.values() for each in sorted(group, key=_order)]
    return ordered, Rows(rows.num_read, tuple(sorted(bad, key=lambda row: row.line)), tuple(odd))


def dialogues(
    utterances: Sequence[Utterance], *, release: str, task: str, key: Callable[[Any], str], last: bool
) -> list[Excerpt]:
    """An excerpt for each dialogue, in the order of their first utterances; `last` as in `Emotion`."""
    groups: dict[Any, list[Utterance]] = {}
    for utterance in utterances:
        groups.setdefault(utterance.dialogue, []).append(utterance)
    excerpts = []
    for name, group in groups.items():
        marks = tuple(Emotion(task, number, each.label, last=last) for number, each in enumerate(group))
        turns = tuple(each.turn for each in group)
        excerpts.append(Excerpt(release, key(name), turns, marks, divisible=True))
    return excerpts


def _is_repeated(first: Utterance, *, by: Utterance) -> bool:
    """Whether a row is another's once more, number and all; equal words under another number are said twice."""
    return by.number is not None and replace(first, line=by.line) == by


def _disorder(utterance: Utterance, *, before: Sequence[Utterance], apart: bool, path: Path) -> list[BadRow]:
    """What is odd about the place of an utterance; the first reason that holds."""
    if not before:
        return []
    highest = max(before, key=_order)
    same = next((each for each in before if utterance.number is not None and each.number == utterance.number), None)
    reason = ""
    if apart:
        reason = f"it stands apart from its dialogue, which ends in line {before[-1].line}; it is read with it"
    elif same is not None:
        reason = f"it has the number {same.number} of its dialogue, as line {same.line} has with other words"
    elif _order(utterance) < _order(highest):
        reason = f"utterance {utterance.number} stands after {highest.number} of its dialogue; it is read before it"
    return [bad_row(path, line=utterance.line, reason=reason)] if reason else []


def _order(utterance: Utterance) -> int:
    return 0 if utterance.number is None else utterance.number


def number_of(row: Mapping[str, str]) -> int | None:
    """The utterance's own number; ValueError where the column is there and holds none."""
    return int(row[NUMBER]) if NUMBER in row else None
