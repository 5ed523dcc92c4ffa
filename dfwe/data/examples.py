"""From a corpus to the instances of a task, without the rows that the task cannot use."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from dfwe.data.few_shot import Shots
from dfwe.data.prompts.base import Prompt
from dfwe.data.readers.base import Corpus, Dialogue, RowError, RowIssue, RowReport
from dfwe.errors import DataError
from dfwe.records import Instance, Split


def collect_instances(
    corpus: Corpus, *, prompt: Prompt, split: Split, max_words: int, seed: int, shots: Shots
) -> tuple[Instance, ...]:
    """Return the split's instances in the reference's order: that of the file, not of the list of ids.

    Raises:
        DataError: the split, or its part drawn by `shots`, has no instance of the task; or an annotation is invalid.
    """
    ids = frozenset(shots.ids(corpus, split=split))
    instances = [
        instance
        for dialogue_id, dialogue in corpus.dialogues.items()
        if dialogue_id in ids
        for instance in prompt.instances(dialogue, max_words=max_words, seed=seed)
    ]
    if not instances:
        num_all = len(corpus.splits[split])
        draw = f" (data.shots={shots.amount} draws these of {num_all})" if len(ids) < num_all else ""
        raise DataError(
            f"the {split} split of {corpus.origin} has no instance of {prompt.task} in its {len(ids)} "
            f"dialogues{draw}: choose another task, or data (data.root, data.shots) that are annotated for it"
        )
    return shots.select(instances, task=prompt.task, split=split)


def drop_invalid_rows(corpus: Corpus, *, prompt: Prompt, max_words: int = 0) -> Corpus:
    """Return the corpus without the rows that the prompt refuses; its `row_reports` then list them as invalid.

    Rows whose context is longer than `max_words` words (0 for no limit), and so truncated, are listed as suspicious. A
    corpus of dialogues comes back as it is.

    Raises:
        DataError: a whole file cannot be used, for example because a column is missing.
    """
    invalid: list[RowIssue] = []
    truncated: list[RowIssue] = []
    for dialogue in corpus.dialogues.values():
        for row in dialogue.get("rows", ()):
            try:
                instances = list(prompt.instances({**dialogue, "rows": [row]}, max_words=0, seed=0))
            except RowError as error:
                invalid.append(RowIssue(row["path"], row["line"], str(error), error.remedy))
            else:
                truncated += _truncation(instances, path=row["path"], line=row["line"], max_words=max_words)
    if not invalid and not truncated:
        return corpus
    places = {(issue.path, issue.line) for issue in invalid}
    dialogues = {key: _without(dialogue, places) for key, dialogue in corpus.dialogues.items()}
    reports = {
        path: report + RowReport(0, _of_file(path, invalid), _of_file(path, truncated))
        for path, report in corpus.row_reports.items()
    }
    return replace(corpus, dialogues=dialogues, row_reports=reports)


@contextmanager
def paused_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector, which would visit all objects again and again: halves the time to read a corpus."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _truncation(instances: Sequence[Instance], *, path: str, line: int, max_words: int) -> list[RowIssue]:
    longest = max((len(instance.context.split()) for instance in instances), default=0) if max_words else 0
    if longest <= max_words:
        return []
    lost = longest - max_words
    return [
        RowIssue(path, line, f"its text has {longest} words and loses the first {lost} (data.max_words={max_words})")
    ]


def _of_file(path: str, issues: Sequence[RowIssue]) -> tuple[RowIssue, ...]:
    return tuple(issue for issue in issues if issue.path == path)


def _without(dialogue: Dialogue, places: set[tuple[str, int]]) -> Dialogue:
    return {**dialogue, "rows": [row for row in dialogue["rows"] if (row["path"], row["line"]) not in places]}
