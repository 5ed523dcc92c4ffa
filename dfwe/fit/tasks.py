"""Make tasks of the tables that the options of `dfwe fit` name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dfwe.conf import option_names
from dfwe.data.readers.sheet import Sheet
from dfwe.errors import DataError, quoted
from dfwe.fit.table import Columns, LabelledTable, cell_text, check_column, find_columns, is_number, kind_of, read_table
from dfwe.fit.task import TableTask, ordered, task_name
from dfwe.metrics.function import own_function
from dfwe.values.names import compositions, reserved_names

NO_GROUP = "none"  # as a value of --group


@dataclass(frozen=True)
class TableOptions:
    """The options of the command that say how tables are read; None, or no texts, for what is to be guessed."""

    texts: tuple[str, ...]
    label: str | None
    group: str | None  # NO_GROUP for none
    kind: str | None  # of the target's answers
    test: Path | None  # of the target
    encoding: str
    metric: str | None = None  # the user's own function, of the target


def read_tasks(
    table: Path, *, sources: Sequence[Path], options: TableOptions, defaults: Mapping[str, Any]
) -> list[TableTask]:
    """Return the target's task and the sources'; `defaults` are those of `conf/fit.yaml`.

    Raises:
        DataError: a table, a column or the kind of answers is not what a task needs.
    """
    taken = [*reserved_names(), *compositions(), *option_names("task")]
    name = task_name(table, taken=taken)
    target = _target(table, name=name, options=options, defaults=defaults)
    tasks = [target]
    for path in sources:
        _check_differs(path, option="--source", others=[table, *([options.test] if options.test is not None else [])])
        name = task_name(path, taken=[*taken, *(task.name for task in tasks)])
        tasks.append(_source(path, name=name, options=options, columns=target.table.columns, defaults=defaults))
    return tasks


def _target(path: Path, *, name: str, options: TableOptions, defaults: Mapping[str, Any]) -> TableTask:
    table = _table(path, options=options, defaults=defaults)
    test: LabelledTable | None = None
    notes: tuple[str, ...] = ()
    if options.test is not None:
        _check_differs(options.test, option="--test", others=(path,))
        read = read_table(options.test, encoding=options.encoding)
        test = LabelledTable(options.test, *read, table.columns, frozenset(defaults["missing_labels"]))
        if reason := _group_misfit(table, test=test):
            table, test = _ungrouped(table), _ungrouped(test)
            notes = (f"groups: none; {reason}",)
        group = () if test.columns.group is None else (test.columns.group,)
        for column in (*test.columns.texts, test.columns.label, *group):
            check_column(test.sheet, column)
    values = _values([table] if test is None else [table, test])
    kind = options.kind or kind_of(table, defaults=defaults)
    _check_kind(kind, values=values, table=table)
    if kind == "labels" and test is not None:
        notes += _unknown_labels(test, table=table)
    metric = None if options.metric is None else _checked_metric(options.metric)
    return TableTask(name, table, kind, values, test, is_source=False, defaults=defaults, notes=notes, metric=metric)


def _unknown_labels(test: LabelledTable, *, table: LabelledTable) -> tuple[str, ...]:
    """Return a note on labels of the test table alone; DataError where all are, as `1` and `1.0` may stand for one."""
    unknown = [label for label in ordered(list(test.counts)) if label not in table.counts]
    if unknown and len(unknown) == len(test.counts):
        labels = quoted(ordered(list(table.counts)))
        raise DataError(
            f"{test.path}: its labels, {quoted(unknown)}, are none of {table.path}'s, {labels}: write them alike"
        )
    return (f"labels: {quoted(unknown)} of {test.path} stand in no row of {table.path}",) if unknown else ()


def _checked_metric(name: str) -> str:
    """Return the function's name, of a file by its full path; ConfigurationError where it cannot be imported."""
    file, colon, function = name.rpartition(":")
    full = f"{Path(file).expanduser().resolve()}:{function}" if colon and file.endswith(".py") else name
    own_function(full)
    return full


def _source(
    path: Path, *, name: str, options: TableOptions, columns: Columns, defaults: Mapping[str, Any]
) -> TableTask:
    """Return a source's task: with the target's columns where it has them; the rest is guessed."""
    source, sheet = read_table(path, encoding=options.encoding)
    missing = [(option, column) for option, column in _named(options) if column not in sheet.columns]
    fitting = replace(
        options,
        texts=columns.texts if set(columns.texts) <= set(sheet.columns) else (),
        label=columns.label if columns.label in sheet.columns else None,
        group=options.group if options.group in (NO_GROUP, *sheet.columns) else None,
    )
    columns = _columns(sheet, options=fitting, defaults=defaults)
    table = LabelledTable(path, source, sheet, columns, frozenset(defaults["missing_labels"]))
    kind, values = kind_of(table, defaults=defaults, is_source=True), _values([table])
    _check_kind(kind, values=values, table=table)
    notes = tuple(f"guessed: {path} has no column '{column}' ({option})" for option, column in missing)
    return TableTask(name, table, kind, values, test=None, is_source=True, defaults=defaults, notes=notes)


def _table(path: Path, *, options: TableOptions, defaults: Mapping[str, Any]) -> LabelledTable:
    source, sheet = read_table(path, encoding=options.encoding)
    return LabelledTable(
        path, source, sheet, _columns(sheet, options=options, defaults=defaults), frozenset(defaults["missing_labels"])
    )


def _check_differs(path: Path, *, option: str, others: Sequence[Path]) -> None:
    """Refuse a table that is there already: what a model is tested on would be trained on."""
    if any(other.exists() and path.exists() and path.samefile(other) for other in others):
        raise DataError(f"{option} {path} is named already: its rows would be trained on and tested on; leave it out")


def _columns(sheet: Sheet, *, options: TableOptions, defaults: Mapping[str, Any]) -> Columns:
    group = options.group
    if group == NO_GROUP:
        defaults, group = {**defaults, "group_columns": ()}, None
    return find_columns(sheet, texts=options.texts, label=options.label, group=group, defaults=defaults)


def _named(options: TableOptions) -> Iterator[tuple[str, str]]:
    """Yield the columns that the user named, each with its option."""
    yield from (("--text", text) for text in options.texts)
    if options.label is not None:
        yield "--label", options.label
    if options.group not in (None, NO_GROUP):
        yield "--group", options.group


def _group_misfit(table: LabelledTable, *, test: LabelledTable) -> str:
    """Return why the group column that was guessed does not suit the test table; nothing where it does."""
    group = table.columns.group
    if group is None or "group" not in table.columns.guessed:
        return ""
    if group not in test.sheet.columns:
        return f"{test.path} has no column '{group}', which was guessed"
    groups = {cell_text(row, group) for row in test.sheet.rows}
    if "" in groups or not groups.isdisjoint(cell_text(row, group) for row in table.sheet.rows):
        return f"'{group}', which was guessed, is empty in a row of {test.path} or has values of both tables"
    return ""


def _ungrouped(table: LabelledTable) -> LabelledTable:
    return replace(table, columns=replace(table.columns, group=None))


def _values(tables: Sequence[LabelledTable]) -> tuple[str, ...]:
    return ordered(list(dict.fromkeys(value for table in tables for value in table.counts)))


def _check_kind(kind: str, *, values: Sequence[str], table: LabelledTable) -> None:
    """Check that the cells suit the kind of the answers."""
    column = f"{table.path}: column '{table.columns.label}'"
    if len(values) < 2:
        raise DataError(f"{column} has {len(values)} distinct values: expected at least two")
    if kind == "labels" and (unfit := [value for value in values if value == "???" or "${" in value]):
        raise DataError(
            f"{column} has the label '{unfit[0]}', which settings cannot hold: write it without ??? and ${{"
        )
    if kind != "number":
        return
    if words := [value for value in values if not is_number(value)]:
        raise DataError(f"{column} holds '{words[0][:40]}', which is not a number: set --kind labels or text")
    if len({float(value) for value in values}) < 2:
        raise DataError(f"{column} holds one number only, {float(values[0]):g}: expected at least two")
