"""Reads a task's own rows: a file for each split, or splits cut off the train file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dfwe.data.bad_rows import BadRow, Rows, bad_row
from dfwe.data.readers.base import Corpus, Reader
from dfwe.data.readers.sheet import Cell, Row, Sheet, SheetSource, check_columns
from dfwe.errors import ConfigurationError, DataError
from dfwe.records import Split
from dfwe.values.allowed import Count, Name, Natural, OpenShare

_SPLITS: tuple[Split, ...] = ("train", "dev", "test")


@dataclass(frozen=True)
class Table(Reader):
    """Rows as a corpus: a "dialogue" holds, under `rows`, the rows of a group (one alone where there are no groups).

    A split without a file of its own is cut off the train file: that share of its groups, drawn by `seed`. Rows whose
    cell equals one of `leave_out` are left out on purpose and counted apart; rows without an id, or with one that an
    earlier row has, are bad. Rows of a group come together, where the first of them stands. A split named in `most`
    has at most so many groups, drawn by `seed`.
    """

    root: Path | str
    files: Mapping[str, SheetSource]  # by split; train must be there
    cut: Mapping[str, OpenShare]  # shares of the train file for splits without a file
    seed: Natural
    id: Name | None  # the column; null for the file's name and the row's line
    group: Name | None  # the column of what must not stand in two splits; null where every row stands alone
    leave_out: Mapping[str, Sequence[str]]  # by column the cells
    most: Mapping[str, Count] = field(default_factory=dict)  # groups of a split; all where it is not named

    def __post_init__(self) -> None:
        for split in (*self.files, *self.cut):
            if split not in _SPLITS:
                raise ConfigurationError(f"a reader's files and cut are for train, dev and test, not '{split}'")
        missing = [split for split in _SPLITS if split not in self.files]
        if "train" in missing or set(missing) != set(self.cut):
            raise ConfigurationError(
                "each split needs a file or, dev and test, a share of the train file under `cut` (not both): "
                f"there are files for {sorted(self.files)} and shares for {sorted(self.cut)}"
            )
        for split, number in self.most.items():
            if split not in _SPLITS or number < 1:
                raise ConfigurationError(f"`most` gives train, dev and test a number above 0, not {split} {number}")
        if any(share <= 0 for share in self.cut.values()) or sum(self.cut.values()) >= 1:
            raise ConfigurationError(f"the shares under `cut` must be above 0 and leave some for train: {self.cut}")

    def read(self) -> Corpus:
        """The corpus; see Reader.

        Raises:
            DataError: a file is missing, in another encoding, or lacks a column; a group stands in two files; a cut is
                empty.
        """
        sheets = {split: self.files[split].sheet(Path(self.root)) for split in _SPLITS if split in self.files}
        reading = _Reading(self, sheets)
        groups = {split: reading.groups(split) for split in sheets}
        dialogues = {group: each for split in sheets for group, each in groups[split].items()}
        _check_apart(groups, origins={split: sheet.origin for split, sheet in sheets.items()})
        every = self._splits({split: tuple(ids) for split, ids in groups.items()})
        splits = {split: self._drawn(ids, split=split) for split, ids in every.items()}
        return Corpus(
            dialogues=dialogues,
            splits=splits,
            digest=_digest(dialogues, splits=splits),
            origin=str(self.root),
            rows={sheet.origin: reading.rows(split) for split, sheet in sheets.items()},
            left_out=reading.left_out,
        )

    def _splits(self, ids: Mapping[Split, tuple[str, ...]]) -> dict[Split, tuple[str, ...]]:
        train, splits = ids["train"], dict(ids)
        order = np.random.default_rng(self.seed).permutation(len(train))
        start = 0
        for split in _SPLITS:
            if split in self.cut:
                end = start + int(len(train) * self.cut[split])
                if end == start:
                    raise DataError(
                        f"{self.root}: a cut of {self.cut[split]} of {len(train)} rows leaves none for {split}"
                    )
                splits[split] = tuple(train[index] for index in sorted(order[start:end]))
                start = end
        splits["train"] = tuple(train[index] for index in sorted(order[start:]))
        return splits

    def _drawn(self, ids: tuple[str, ...], *, split: Split) -> tuple[str, ...]:
        """As many as `most` allows, in their order."""
        if len(ids) <= self.most.get(split, len(ids)):
            return ids
        order = np.random.default_rng([self.seed, _SPLITS.index(split)]).permutation(len(ids))
        return tuple(ids[index] for index in sorted(order[: self.most[split]]))


class _Reading:
    """The rows of all files, sorted into good ones, bad ones, and those left out on purpose."""

    def __init__(self, table: Table, sheets: Mapping[Split, Sheet]) -> None:
        self._table, self._sheets = table, sheets
        self._seen: dict[str, str] = {}
        self._bad: dict[Split, list[BadRow]] = {split: list(sheet.read.bad) for split, sheet in sheets.items()}
        self.left_out: dict[str, int] = {}

    def groups(self, split: Split) -> dict[str, dict[str, Any]]:
        """A file's good rows by group."""
        sheet, table = self._sheets[split], self._table
        check_columns(sheet, needed=[one for one in (table.id, table.group, *table.leave_out) if one is not None])
        groups: dict[str, dict[str, Any]] = {}
        for row_id, row in self._good(split):
            group = row_id if table.group is None else _text(row.cells[table.group])
            holder = groups.setdefault(group, {"dialogue_id": group, "dialogue_metadata": {}, "rows": []})
            holder["rows"].append({"id": row_id, "path": sheet.origin, "line": row.line, "cells": row.cells})
        return groups

    def rows(self, split: Split) -> Rows:
        """How many rows a file has, and the bad ones."""
        read = self._sheets[split].read
        return Rows(read.num_read, tuple(self._bad[split]), read.odd)

    def _good(self, split: Split) -> Iterator[tuple[str, Row]]:
        sheet = self._sheets[split]
        for row in sheet.rows:
            if self._is_left_out(row):
                continue
            row_id = self._id(row, split=split)
            wrong = self._wrong(row, row_id=row_id)
            if wrong:
                self._bad[split].append(bad_row(sheet.origin, line=row.line, reason=wrong))
            else:
                self._seen[row_id] = f"{sheet.origin}, line {row.line}"
                yield row_id, row

    def _is_left_out(self, row: Row) -> bool:
        for column, cells in self._table.leave_out.items():
            if row.cells[column] in cells:
                reason = f"{column} is '{row.cells[column]}'"
                self.left_out[reason] = self.left_out.get(reason, 0) + 1
                return True
        return False

    def _id(self, row: Row, *, split: Split) -> str:
        if self._table.id is not None:
            return _text(row.cells[self._table.id])
        stems = [sheet.stem for sheet in self._sheets.values()]
        stem = self._sheets[split].stem
        return f"{stem}-{row.line}" if stems.count(stem) == 1 else f"{split}-{stem}-{row.line}"

    def _wrong(self, row: Row, *, row_id: str) -> str:
        if not row_id:
            return f"its id ('{self._table.id}') is empty"
        if row_id in self._seen:
            return f"its id '{row_id}' is that of {self._seen[row_id]}"
        group = self._table.group
        return f"its group ('{group}') is empty" if group is not None and not _text(row.cells[group]) else ""


def _text(cell: Cell) -> str:
    return " ".join((cell if isinstance(cell, str) else " ".join(cell)).split())


def _check_apart(groups: Mapping[Split, Iterable[str]], *, origins: Mapping[Split, str]) -> None:
    where: dict[str, Split] = {}
    for split, ids in groups.items():
        for group in ids:
            if group in where:
                raise DataError(
                    f"group '{group}' stands in {origins[where[group]]} and in {origins[split]}: a group must not "
                    "stand in two splits; move its rows, or set the reader's `group` to null"
                )
            where[group] = split


def _digest(dialogues: Mapping[str, Any], *, splits: Mapping[Split, tuple[str, ...]]) -> str:
    """Of what was read, wherever it was read from: equal rows in equal splits are equal data."""
    digest = hashlib.sha256(json.dumps(splits, sort_keys=True).encode())
    for dialogue in dialogues.values():
        rows = [(row["id"], row["cells"]) for row in dialogue["rows"]]
        digest.update(json.dumps([dialogue["dialogue_id"], rows]).encode())
    return digest.hexdigest()
