"""The rows of a corpus that a task can use; the others are bad rows, by the task's own checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dfwe.data.bad_rows import BadRow, RowError, Rows, bad_row
from dfwe.data.prompts.base import Prompt
from dfwe.data.readers.base import Corpus, Dialogue


def usable(corpus: Corpus, *, prompt: Prompt, max_words: int = 0) -> Corpus:
    """The corpus without the rows that the prompt refuses, which its `rows` then count as bad.

    Rows whose context is longer than `max_words` words (0 for no limit), which the prompt cuts, it counts as odd. A
    corpus without rows (of dialogues) comes back as it is. What is wrong with a whole file, such as a column that is
    missing, is raised at once.
    """
    looked_at = [_looked_at(dialogue, prompt=prompt, max_words=max_words) for dialogue in corpus.dialogues.values()]
    refused, cut = ([row for pair in looked_at for row in pair[which]] for which in (0, 1))
    if not refused and not cut:
        return corpus
    places = {(bad.path, bad.line) for bad in refused}
    dialogues = {key: _without(dialogue, places) for key, dialogue in corpus.dialogues.items()}
    rows = {path: read + Rows(0, _of(path, refused), _of(path, cut)) for path, read in corpus.rows.items()}
    return replace(corpus, dialogues=dialogues, rows=rows)


def _looked_at(dialogue: Dialogue, *, prompt: Prompt, max_words: int) -> tuple[list[BadRow], list[BadRow]]:
    """The dialogue's rows that the prompt refuses, and those that it cuts."""
    bad: list[BadRow] = []
    cut: list[BadRow] = []
    for row in dialogue.get("rows", ()):
        try:
            instances = list(prompt.instances({**dialogue, "rows": [row]}, max_words=0, seed=0))
        except RowError as error:
            bad.append(bad_row(row["path"], line=row["line"], reason=str(error), remedy=error.remedy))
            continue
        longest = max((len(instance.context.split()) for instance in instances), default=0) if max_words else 0
        if longest > max_words:
            reason = (
                f"its text has {longest} words and loses the first {longest - max_words} (data.max_words={max_words})"
            )
            cut.append(bad_row(row["path"], line=row["line"], reason=reason))
    return bad, cut


def _of(path: str, rows: list[BadRow]) -> tuple[BadRow, ...]:
    return tuple(row for row in rows if row.path == path)


def _without(dialogue: Dialogue, places: set[tuple[str, int]]) -> Mapping[str, Any]:
    return {**dialogue, "rows": [row for row in dialogue["rows"] if (row["path"], row["line"]) not in places]}
