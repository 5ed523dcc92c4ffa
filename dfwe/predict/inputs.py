"""From texts, rows and dialogues to the dialogues that a task's prompt asks about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from dfwe.data.prompts.base import Prompt, columns_of
from dfwe.data.prompts.template import named_cells, row_dialogue
from dfwe.data.readers.base import Dialogue, RowError
from dfwe.data.readers.sheet import cell_of
from dfwe.data.readers.tlidb import check_dialogue
from dfwe.errors import DataError, quoted
from dfwe.records import Instance

TURN, SPEAKER, DIALOGUE = "utterance", "speaker", "dialogue_id"


@dataclass(frozen=True)
class Item:
    """One text, row or dialogue; `where` is how messages name it, `name` its id unless it has one of its own."""

    content: str | Mapping[str, Any]
    name: str
    where: str
    line: int = 0


def items(inputs: Iterable[str | Mapping[str, Any]]) -> list[Item]:
    """Return inputs from Python, numbered from 1; DataError for one that is neither a text nor a mapping."""
    if isinstance(inputs, (str, Mapping)):
        raise DataError("give a list of texts, rows or dialogues, not a single one: predict([text])")
    numbered = [Item(content, str(number), f"input {number}", number) for number, content in enumerate(inputs, start=1)]
    for item in numbered:
        if not isinstance(item.content, (str, Mapping)):
            raise DataError(f"{item.where} must be a text or a mapping, not a {type(item.content).__name__}")
    return numbered


def instances_of(inputs: Iterable[Item], *, prompt: Prompt, max_words: int) -> list[Instance]:
    """Return the questions that the prompt asks about the inputs, in order; a dialogue may take no part in the task.

    Raises:
        DataError: an input lacks what the task asks about, or nothing is asked about any.
    """
    instances: list[Instance] = []
    inputs = list(inputs)
    columns = columns_of(prompt)
    for where, dialogue in _dialogues(inputs) if columns is None else _rows(inputs, columns=columns):
        try:
            instances += prompt.instances(dialogue, max_words=max_words, seed=0)
        except RowError as error:
            raise DataError(f"{where}: {error}; correct it, or leave it out") from error
    if inputs and not instances:
        raise DataError(f"{inputs[0].where} asks nothing of {prompt.task}, nor does any other: see docs/predict.md")
    return instances


def _rows(inputs: Iterable[Item], *, columns: tuple[str, ...]) -> Iterator[tuple[str, Dialogue]]:
    for item in inputs:
        row = _row(item, columns=columns)
        texts = {str(key): value if isinstance(value, str) else cell_of(value) for key, value in row.items()}
        cells = named_cells(texts, columns=columns)
        name = cells.get("id") or item.name
        yield item.where, row_dialogue(cells, row_id=str(name), path=item.where, line=item.line)


def _row(item: Item, *, columns: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(item.content, str):
        return item.content
    if len(columns) != 1:
        raise DataError(
            f"{item.where} is a text, but the task reads the columns {', '.join(columns)}: give a row of them"
        )
    return {columns[0]: item.content}


def _dialogues(inputs: Iterable[Item]) -> Iterator[tuple[str, Dialogue]]:
    """Yield whole dialogues as they are; turns that follow each other and name one dialogue become that."""
    numbered = [(_dialogue_of(item, number=number), item) for number, item in enumerate(inputs)]
    for _, members in groupby(numbered, key=lambda pair: pair[0]):
        group = [item for _, item in members]
        first = group[0]
        if isinstance(first.content, Mapping) and "dialogue" in first.content:
            yield first.where, check_dialogue(first.content, where=first.where)
        else:
            name = first.content.get(DIALOGUE) if isinstance(first.content, Mapping) else None
            turns = [_turn(item, position=position) for position, item in enumerate(group)]
            dialogue = {DIALOGUE: str(name or first.name), "dialogue": turns}
            yield first.where, check_dialogue(dialogue, where=first.where)


def _dialogue_of(item: Item, *, number: int) -> Any:
    """Return what turns of one dialogue have in common, and nothing else does."""
    content = item.content
    if isinstance(content, str) or "dialogue" in content or not content.get(DIALOGUE):
        return number
    return str(content[DIALOGUE])


def _turn(item: Item, *, position: int) -> dict[str, Any]:
    content = {TURN: item.content} if isinstance(item.content, str) else item.content
    if TURN not in content:
        there = quoted(content) or "nothing"
        raise DataError(
            f"{item.where} needs '{TURN}' (and '{SPEAKER}', '{DIALOGUE}'), or a whole 'dialogue': it has {there}"
        )
    speaker = content.get(SPEAKER) or content.get("speakers") or []
    return {
        "turn_id": position,
        "speakers": [speaker] if isinstance(speaker, str) else speaker,
        "utterance": content[TURN],
    }
