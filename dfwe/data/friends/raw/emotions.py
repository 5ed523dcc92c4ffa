"""Rows of utterances with an emotion, for MELD and Emory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import EmotionAnnotation
from dfwe.data.friends.excerpt import Excerpt, Turn
from dfwe.data.friends.raw.files import table
from dfwe.data.readers.base import RowIssue, RowReport

NUMBER = "Utterance_ID"  # the column that counts the utterances of a dialogue, in files that have it


@dataclass(frozen=True)
class Utterance:
    """Row of an utterance with an emotion."""

    dialogue: Any  # its name in the release
    number: int | None  # orders the dialogue; None if the file has no numbers
    turn: Turn
    label: str
    line: int = 0


def read_utterances(
    path: Path, *, columns: Sequence[str], read: Callable[[Mapping[str, str]], Utterance]
) -> tuple[list[Utterance], RowReport]:
    """Read a file's utterances, grouped by dialogue and ordered by their own numbers.

    A row that repeats another of its dialogue is invalid. One that has the number of another, stands after a higher
    one, or apart from its dialogue, is suspicious.
    """
    numbered, report = table(path, columns=columns, read=read)
    dialogues: dict[Any, list[Utterance]] = {}
    invalid, suspicious = list(report.invalid), list(report.suspicious)
    last = None
    for line, read_one in numbered:
        utterance = replace(read_one, line=line)
        before = dialogues.setdefault(utterance.dialogue, [])
        first = next((row for row in before if _is_repeated(row, by=utterance)), None)
        if first is not None:
            reason = f"utterance {utterance.number} of its dialogue comes again: line {first.line} has it, too"
            invalid.append(RowIssue(str(path), line, reason))
            continue
        suspicious += _disorder(utterance, before=before, apart=utterance.dialogue != last, path=path)
        before.append(utterance)
        last = utterance.dialogue
    ordered = [row for group in dialogues.values() for row in sorted(group, key=_order)]
    return ordered, RowReport(report.num_rows, tuple(sorted(invalid, key=lambda issue: issue.line)), tuple(suspicious))


def dialogues(
    utterances: Sequence[Utterance], *, release: str, task: str, key: Callable[[Any], str], last: bool
) -> list[Excerpt]:
    """Return an excerpt per dialogue, in the order of first utterances; `last` as in `EmotionAnnotation`."""
    groups: dict[Any, list[Utterance]] = {}
    for utterance in utterances:
        groups.setdefault(utterance.dialogue, []).append(utterance)
    excerpts = []
    for name, group in groups.items():
        annotations = tuple(EmotionAnnotation(task, number, row.label, last=last) for number, row in enumerate(group))
        turns = tuple(row.turn for row in group)
        excerpts.append(Excerpt(release, key(name), turns, annotations, divisible=True))
    return excerpts


def _is_repeated(first: Utterance, *, by: Utterance) -> bool:
    """Check whether a row repeats another, number included; equal words with another number are another utterance."""
    return by.number is not None and replace(first, line=by.line) == by


def _disorder(utterance: Utterance, *, before: Sequence[Utterance], apart: bool, path: Path) -> list[RowIssue]:
    """Return an issue if the utterance is out of order, with the first reason that applies."""
    if not before:
        return []
    highest = max(before, key=_order)
    same = next((row for row in before if utterance.number is not None and row.number == utterance.number), None)
    reason = ""
    if apart:
        reason = f"it stands apart from its dialogue, which ends in line {before[-1].line}; it is read with it"
    elif same is not None:
        reason = f"it has the number {same.number} of its dialogue, as line {same.line} has with other words"
    elif _order(utterance) < _order(highest):
        reason = f"utterance {utterance.number} stands after {highest.number} of its dialogue; it is read before it"
    return [RowIssue(str(path), utterance.line, reason)] if reason else []


def _order(utterance: Utterance) -> int:
    return 0 if utterance.number is None else utterance.number


def number_of(row: Mapping[str, str]) -> int | None:
    """Return the utterance's own number; ValueError if the column exists and holds none."""
    return int(row[NUMBER]) if NUMBER in row else None
