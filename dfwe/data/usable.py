"""The rows of a corpus that a task can use; the others are bad rows, by the task's own checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dfwe.data.bad_rows import BadRow, RowError, Rows, bad_row
from dfwe.data.prompts.base import Prompt
from dfwe.data.readers.base import Corpus, Dialogue


def usable(corpus: Corpus, *, prompt: Prompt) -> Corpus:
    """The corpus without the rows that the prompt refuses, which its `rows` then count as bad.

    A corpus without rows (of dialogues) comes back as it is. What is wrong with a whole file, such as a column that is
    missing, is raised at once.
    """
    refused = [bad for dialogue in corpus.dialogues.values() for bad in _refused(dialogue, prompt=prompt)]
    if not refused:
        return corpus
    places = {(bad.path, bad.line) for bad in refused}
    dialogues = {key: _without(dialogue, places) for key, dialogue in corpus.dialogues.items()}
    rows = {
        path: read + Rows(0, tuple(bad for bad in refused if bad.path == path)) for path, read in corpus.rows.items()
    }
    return replace(corpus, dialogues=dialogues, rows=rows)


def _refused(dialogue: Dialogue, *, prompt: Prompt) -> list[BadRow]:
    bad = []
    for row in dialogue.get("rows", ()):
        try:
            list(prompt.instances({**dialogue, "rows": [row]}, max_words=0, seed=0))
        except RowError as error:
            bad.append(bad_row(row["path"], line=row["line"], reason=str(error)))
    return bad


def _without(dialogue: Dialogue, places: set[tuple[str, int]]) -> Mapping[str, Any]:
    return {**dialogue, "rows": [row for row in dialogue["rows"] if (row["path"], row["line"]) not in places]}
