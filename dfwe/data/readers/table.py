"""Rows of a task's own files: one per split, or splits held out from the train file."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dfwe.data.readers.base import Corpus, Reader, RowIssue, RowReport
from dfwe.data.readers.sheet import Sheet, SheetRow, SheetSource, cell_line, check_columns
from dfwe.data.readers.stratify import stratified
from dfwe.errors import ConfigurationError, DataError, quoted
from dfwe.records import SPLITS, Split
from dfwe.values.allowed import Count, Name, Natural, OpenShare


@dataclass(frozen=True)
class Table(Reader):
    """Rows as a corpus: a "dialogue" holds, under `rows`, the rows of a group (a single row without groups).

    A split without a file is held out from the train file: that fraction of its groups, drawn with `seed`. With
    `stratify` each split has its share of the rows of every value of that column, as far as whole groups allow. Rows
    whose cell equals one of `exclude` are left out and counted separately. Rows without an id, or with the id of an
    earlier row, are invalid. Rows of a group come together, at the place of the first. A split named in `max_examples`
    has at most that many groups, drawn with `seed`.
    """

    root: Path | str
    files: Mapping[Split, SheetSource]  # train is required
    holdout_fractions: Mapping[Split, OpenShare]  # of the train file, for splits without a file
    seed: Natural
    id: Name | None  # a column; null for the file's name and the row's line
    group: Name | None  # a column whose values must not occur in two splits; null for single rows
    exclude: Mapping[str, Sequence[str]]  # cells by column
    max_examples: Mapping[Split, Count] = field(default_factory=dict)  # groups per split; a split not named has all
    stratify: Name | None = None  # a column, such as that of the labels; null to hold out whatever is drawn

    def __post_init__(self) -> None:
        if "train" not in self.files or sorted([*self.files, *self.holdout_fractions]) != sorted(SPLITS):
            raise ConfigurationError(
                "each split needs a file or, dev and test, a part of the train file under `holdout_fractions` (not "
                f"both): there are files for {sorted(self.files)} and fractions for {sorted(self.holdout_fractions)}"
            )
        if sum(self.holdout_fractions.values()) >= 1:
            raise ConfigurationError(
                f"`holdout_fractions` must leave some rows for train, not {dict(self.holdout_fractions)}"
            )

    def read(self) -> Corpus:
        """Read the corpus; see Reader.

        Raises:
            DataError: a file is missing, in another encoding, or lacks a column; two splits have the same file, or a
                group in common; a held-out split is empty.
        """
        sheets = {split: self.files[split].sheet(Path(self.root)) for split in SPLITS if split in self.files}
        rows = _TableRows(self, sheets)
        groups = {split: rows.groups(split) for split in sheets}
        _check_disjoint(groups, origins={split: sheet.origin for split, sheet in sheets.items()})
        dialogues = {group: dialogue for split in sheets for group, dialogue in groups[split].items()}
        all_ids = {split: tuple(ids) for split, ids in groups.items()}
        all_ids |= self._cut(all_ids["train"]) if self.stratify is None else self._stratified_cut(groups["train"])
        splits = {split: self._sample(ids, split=split) for split, ids in all_ids.items()}
        return Corpus(
            dialogues=dialogues,
            splits=splits,
            digest=_digest(dialogues, splits=splits),
            origin=str(self.root),
            row_reports={sheet.origin: rows.report(split) for split, sheet in sheets.items()},
            num_excluded=rows.num_excluded,
        )

    def _cut(self, train: tuple[str, ...]) -> dict[Split, tuple[str, ...]]:
        """Return the train file's groups by split, held out whatever their labels."""
        splits: dict[Split, tuple[str, ...]] = {}
        order = np.random.default_rng(self.seed).permutation(len(train))
        start = 0
        for split in self._held_out():
            end = start + int(len(train) * self.holdout_fractions[split])
            splits[split] = tuple(train[index] for index in sorted(order[start:end]))
            self._check_held_out(splits[split], split=split, num_groups=len(train))
            start = end
        return {**splits, "train": tuple(train[index] for index in sorted(order[start:]))}

    def _stratified_cut(self, train: Mapping[str, Mapping[str, Any]]) -> dict[Split, tuple[str, ...]]:
        """Return the train file's groups by split, each split with its share of every label."""
        column = str(self.stratify)
        labels = {
            name: Counter(cell_line(row["cells"][column]) for row in group["rows"]) for name, group in train.items()
        }
        held_out = {split: self.holdout_fractions[split] for split in self._held_out()}
        splits = stratified(labels, fractions={"train": 1 - sum(held_out.values()), **held_out}, seed=self.seed)
        for split in held_out:
            self._check_held_out(splits[split], split=split, num_groups=len(train))
        return splits

    def _held_out(self) -> tuple[Split, ...]:
        return tuple(split for split in SPLITS if split in self.holdout_fractions)

    def _check_held_out(self, ids: tuple[str, ...], *, split: Split, num_groups: int) -> None:
        if not ids:
            fraction = self.holdout_fractions[split]
            raise DataError(f"{self.root}: holding out {fraction} of {num_groups} rows leaves none for {split}")

    def _sample(self, ids: tuple[str, ...], *, split: Split) -> tuple[str, ...]:
        """Return as many ids as `max_examples` allows, in their order."""
        if len(ids) <= self.max_examples.get(split, len(ids)):
            return ids
        order = np.random.default_rng([self.seed, SPLITS.index(split)]).permutation(len(ids))
        return tuple(ids[index] for index in sorted(order[: self.max_examples[split]]))


class _TableRows:
    """Rows of all files, sorted into valid, invalid and excluded ones."""

    def __init__(self, table: Table, sheets: Mapping[Split, Sheet]) -> None:
        self._table, self._sheets = table, sheets
        self._place_of: dict[str, str] = {}  # by id
        self._invalid: dict[Split, list[RowIssue]] = {s: list(sheet.report.invalid) for s, sheet in sheets.items()}
        self.num_excluded: Counter[str] = Counter()  # by the reason

    def groups(self, split: Split) -> dict[str, dict[str, Any]]:
        """Return a file's valid rows by group."""
        sheet, table = self._sheets[split], self._table
        check_columns(
            sheet, needed=[name for name in (table.id, table.group, table.stratify, *table.exclude) if name is not None]
        )
        groups: dict[str, dict[str, Any]] = {}
        for row_id, row in self._valid(split):
            group = row_id if table.group is None else cell_line(row.cells[table.group])
            dialogue = groups.setdefault(group, {"dialogue_id": group, "dialogue_metadata": {}, "rows": []})
            dialogue["rows"].append({"id": row_id, "path": sheet.origin, "line": row.line, "cells": row.cells})
        return groups

    def report(self, split: Split) -> RowReport:
        """Return the report on a file, with the rows that are invalid for the table."""
        return replace(self._sheets[split].report, invalid=tuple(self._invalid[split]))

    def _valid(self, split: Split) -> Iterator[tuple[str, SheetRow]]:
        sheet = self._sheets[split]
        stems = [other.stem for other in self._sheets.values()]
        stem = sheet.stem if stems.count(sheet.stem) == 1 else f"{split}-{sheet.stem}"
        for row in sheet.rows:
            excluded = next((name for name, cells in self._table.exclude.items() if row.cells[name] in cells), None)
            if excluded is not None:
                self.num_excluded[f"{excluded} is '{row.cells[excluded]}'"] += 1
                continue
            row_id = f"{stem}-{row.line}" if self._table.id is None else cell_line(row.cells[self._table.id])
            if reason := self._mistake(row, row_id=row_id):
                self._invalid[split].append(RowIssue(sheet.origin, row.line, reason))
            else:
                self._place_of[row_id] = f"{sheet.origin}, line {row.line}"
                yield row_id, row

    def _mistake(self, row: SheetRow, *, row_id: str) -> str:
        if not row_id:
            return f"its id ('{self._table.id}') is empty"
        if row_id in self._place_of:
            return f"its id '{row_id}' is that of {self._place_of[row_id]}"
        group = self._table.group
        return f"its group ('{group}') is empty" if group is not None and not cell_line(row.cells[group]) else ""


def _check_disjoint(groups: Mapping[Split, Iterable[str]], *, origins: Mapping[Split, str]) -> None:
    split_of: dict[str, Split] = {}
    if len(set(origins.values())) < len(origins):
        files = quoted(f"{split}: {origin}" for split, origin in origins.items())
        raise DataError(
            f"two splits have the same rows ({files}): name another file, or hold rows out with `holdout_fractions`"
        )
    for split, ids in groups.items():
        for group in ids:
            if group in split_of:
                raise DataError(
                    f"group '{group}' stands in {origins[split_of[group]]} and in {origins[split]}: a group must not "
                    "stand in two splits; move its rows, or set the reader's `group` to null"
                )
            split_of[group] = split


def _digest(dialogues: Mapping[str, Any], *, splits: Mapping[Split, tuple[str, ...]]) -> str:
    """Hash the rows and splits, wherever they come from: equal rows in equal splits are equal data."""
    digest = hashlib.sha256(json.dumps(splits, sort_keys=True).encode())
    for dialogue in dialogues.values():
        rows = [(row["id"], dict(row["cells"])) for row in dialogue["rows"]]
        digest.update(json.dumps([dialogue["dialogue_id"], rows]).encode())
    return digest.hexdigest()
