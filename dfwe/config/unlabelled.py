"""Texts of a target without labels: what a teacher labels for its student."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dfwe.config.task_data import StudyData
from dfwe.config.tasks import Task
from dfwe.data.prompts.base import columns_of
from dfwe.data.prompts.template import column_name, named_cells, row_dialogue
from dfwe.data.readers.base import RowError, RowIssue
from dfwe.data.readers.delimited import read_delimited
from dfwe.data.readers.json_lines import JsonLines
from dfwe.data.readers.sheet import Sheet, check_columns
from dfwe.errors import ConfigurationError, DataError
from dfwe.records import SPLITS, Instance
from dfwe.seeding import derive

log = logging.getLogger(__name__)

SOURCES = "sources"


@dataclass(frozen=True)
class Pool:
    """Questions of the target whose answers nobody knows, at most `most` of them, drawn with `seed`.

    `data.unlabelled` says where they are from: null, the target's train split without the examples that `data.shots`
    leaves to it; `sources`, the texts that the sources annotate, asked in the target's prompt; a table of texts with
    the target's columns. Gold answers are dropped as they are read.
    """

    target: Task
    sources: tuple[Task, ...]
    most: int
    seed: int

    def spec(self, data: StudyData) -> dict[str, Any]:
        """Return what names the texts in a stage's spec, beside the target and its data."""
        origin: Any = data.config["unlabelled"]
        if origin == SOURCES:
            origin = [task.spec() | data.digest(task) for task in self.sources]
        elif origin is not None:
            origin = hashlib.sha256(_content(Path(origin).expanduser())).hexdigest()[:16]
        return {"unlabelled": origin, "most": self.most, "seed": self.seed}

    def instances(self, data: StudyData) -> tuple[Instance, ...]:
        """Return the questions, without any that are among the target's own labelled, dev or test ones.

        Raises:
            ConfigurationError: the target asks dialogues, and a table is given.
            DataError: the table cannot be read, or lacks a column.
        """
        texts = {(instance.source, instance.sentences) for instance in self._in_use(data)}
        pool: list[Instance] = []
        for instance in self._all(data):
            text = instance.source, instance.sentences
            if text not in texts:
                texts.add(text)
                pool.append(replace(instance, targets=(), references=()))
        generator = np.random.default_rng(derive(self.seed, "unlabelled", self.target.name))
        places = sorted(generator.permutation(len(pool))[: self.most])
        return tuple(pool[int(place)] for place in places)

    def _in_use(self, data: StudyData) -> Iterator[Instance]:
        for split in SPLITS:
            yield from data.instances(self.target, split=split)

    def _all(self, data: StudyData) -> Iterator[Instance]:
        origin = data.config["unlabelled"]
        if origin is None:
            return iter(data.all_of_train(self.target))
        return self._of_sources(data) if origin == SOURCES else self._of_file(Path(origin).expanduser(), data=data)

    def _of_sources(self, data: StudyData) -> Iterator[Instance]:
        """Yield the target's questions about what the sources' train splits annotate; none where columns are others."""
        prompt = replace(self.target.prompt, unlabelled=True)
        columns = columns_of(self.target.prompt)
        for source in self.sources:
            corpus = data.corpus(source)
            train = frozenset(corpus.splits["train"])
            if (columns is None) != (columns_of(source.prompt) is None):
                continue
            for name, dialogue in corpus.dialogues.items():
                if name not in train or not _has(dialogue, columns=columns):
                    continue
                if any(source.prompt.instances(dialogue, max_words=0, seed=data.seed)):
                    yield from prompt.instances(dialogue, max_words=data.max_words, seed=data.seed)

    def _of_file(self, path: Path, *, data: StudyData) -> Iterator[Instance]:
        columns = columns_of(self.target.prompt)
        if columns is None:
            raise ConfigurationError(
                f"data.unlabelled={path}: {self.target.short} asks about dialogues, not rows of a table; set "
                "data.unlabelled=sources, or null for the rest of its train split"
            )
        sheet = _sheet(path)
        names = {*sheet.columns, *map(column_name, sheet.columns)}
        check_columns(sheet, needed=[column for column in columns if column not in names])
        prompt = replace(self.target.prompt, unlabelled=True)
        broken = list(sheet.report.invalid)
        for row in sheet.rows:
            cells = named_cells(row.cells, columns=columns)
            dialogue = row_dialogue(cells, row_id=f"{path.stem}-{row.line}", path=str(path), line=row.line)
            try:
                yield from prompt.instances(dialogue, max_words=data.max_words, seed=data.seed)
            except RowError as error:
                broken.append(RowIssue(str(path), row.line, str(error), error.remedy))
        for warning in replace(sheet.report, invalid=tuple(broken)).warnings():
            log.warning("data.unlabelled: %s", warning)


def _has(dialogue: Mapping[str, Any], *, columns: tuple[str, ...] | None) -> bool:
    rows = dialogue.get("rows", ())
    return columns is None or all(column in row["cells"] for row in rows for column in columns)


def _sheet(path: Path) -> Sheet:
    if path.suffix in (".json", ".jsonl", ".ndjson"):
        return JsonLines(path=str(path.absolute()), encoding="utf-8", rename={}).sheet(Path())
    if path.suffix in (".csv", ".tsv"):
        return read_delimited(path, encoding="utf-8")[1]
    raise ConfigurationError(f"data.unlabelled={path}: name a table, .csv, .tsv or .jsonl, or `sources`")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"data.unlabelled={path} cannot be read: {error.strerror}") from error
