"""Tell the user of `dfwe fit` what is made of a table, and write the card of the model that came out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from dfwe.controls import without_controls
from dfwe.errors import DataError, quoted
from dfwe.fit.answer import answer, coefficients
from dfwe.fit.table import is_number
from dfwe.fit.task import TableTask
from dfwe.io.files import read_text, write_text
from dfwe.records import SPLITS, Split
from dfwe.report.run_folder import CARD, read_run

_MAX_SHOWN = 8  # labels


def description(task: TableTask, *, shots: int | None) -> Iterator[str]:
    """Yield what the user checks: columns, answers, splits."""
    table, sizes = task.table, task.splits()
    role = "source" if task.is_source else "target"
    yield f"{role} {task.name}: {table.path}, {len(table.used_rows)} rows; {table.columns}"
    yield f"  answers: {_answers(task)}"
    grouped = "" if table.columns.group is None else f", whole groups by '{table.columns.group}'"
    even = ", each with its share of every label" if task.kind == "labels" else ""
    even = f"{even}, as far as groups allow" if even and grouped else even
    splits = ", ".join(f"{sizes[split]} {split}" for split in SPLITS)
    note = "" if shots is None else f"; {shots} of train and of dev are used (--shots)"
    yield f"  splits: {splits} ({_fractions(task)}{grouped}{even}){note}"
    if num_repeated := task.num_repeated():
        yield f"  repeated: {num_repeated} rows have a text that stands in another split, too{_remedy(task)}"
    yield from (f"  {note}" for note in task.notes)
    if not task.is_source:
        yield from _too_few(task, sizes)
    if num_empty := len(table.sheet.rows) - len(table.used_rows):
        words = quoted(word for word in table.missing_cells if word.strip())
        as_none = f" ({words} as a label is none)" if words else ""
        yield f"  left out: {num_empty} rows without a text or a label{as_none}"
    report = table.sheet.report
    for word, rows in (("broken", replace(report, suspicious=())), ("odd", replace(report, invalid=()))):
        yield from (f"  {word}: {warning}" for warning in rows.warnings())


def shared(source: TableTask, *, target: TableTask) -> Iterator[str]:
    """Yield a line on rows of the target's dev and test whose texts a source trains on."""
    held_out = target.texts["dev"] + target.texts["test"]
    if num_rows := sum(number for text, number in held_out.items() if text in source.texts["train"]):
        yield f"  shared: it trains on the texts of {num_rows} rows of {target.name}'s dev or test: take them out of it"


def outcome(run_folder: Path, *, target: TableTask) -> Iterator[str]:
    """Write the answer into the card of the model to ship; yield which it is, why, and where everything is.

    Raises:
        DataError: the study recommends no model, or did not export it.
    """
    run = read_run(run_folder)
    recommended = run.results.recommended
    if not recommended:
        raise DataError(f"{run_folder}: no model has a defined score on dev, so none is recommended: see results.json")
    from dfwe.report.model_card import with_answer  # jinja and others: not before a study has run

    name = recommended.get("folder")
    if not name or not (run.path / name).is_dir():
        raise DataError(f"{run_folder}: the model to ship, {recommended['name']}, was not exported: set export=true")
    folder = run.path / name
    sentences = [without_controls(line) for line in answer(run.results, target=target, folder=str(folder))]
    card = folder / CARD
    public = answer(run.results, target=target, folder="this model")  # a card names no folder of this machine
    write_text(card, with_answer(read_text(card), [without_controls(line) for line in public]))
    yield from (
        "",
        *coefficients(run.results),
        "Which model to ship, and why:",
        *(f"  {line}" for line in sentences),
        "",
    )
    yield f"model: {folder} (its card: {card})"
    yield f"use it: dfwe predict --model {shlex.quote(str(folder))} TABLE"
    yield f'load it: transformers.{run.results.raw["auto_class"]}.from_pretrained("{folder}")'
    if (run.path / "report.html").is_file():
        yield f"page: {run.path / 'report.html'}"


def _answers(task: TableTask) -> str:
    counts = task.table.counts
    if task.kind == "text":
        return (
            "free text; minilm has to learn to write it, from thousands of rows; --model flan_t5_small can (a download)"
        )
    if task.kind == "number":
        return f"a number from {task.values[0]} to {task.values[-1]}, {len(counts)} distinct (--kind labels for labels)"
    most = [f"{label} {number}" for label, number in counts.most_common(_MAX_SHOWN)]
    more = [f"{len(counts) - _MAX_SHOWN} more"] if len(counts) > _MAX_SHOWN else []
    is_numeric = not task.is_source and all(map(is_number, counts))
    return f"{len(counts)} labels: {', '.join([*most, *more])}{' (--kind number for a number)' if is_numeric else ''}"


def _too_few(task: TableTask, sizes: Mapping[Split, int]) -> Iterator[str]:
    """Yield what too few rows mean: of a split, and of a label."""
    limit = task.defaults["few_rows"]
    few = [split for split in ("dev", "test") if sizes[split] < limit]
    if few:
        yield f"  few rows: {' and '.join(few)} have fewer than {limit}, so what they choose or show is mostly luck"
    if (groups := task.num_groups("test")) < limit <= sizes["test"]:
        yield f"  few groups: test has {groups}, fewer than {limit}, so what it shows is mostly luck"
    lacking = [label for label in task.values if not task.answers["dev"][label]] if task.kind == "labels" else []
    if lacking:
        names = quoted(lacking[:_MAX_SHOWN])
        yield f"  rare labels: no row of dev has {names}{' and others' if len(lacking) > _MAX_SHOWN else ''}"


def _remedy(task: TableTask) -> str:
    """Return how to keep equal texts in one split, where one option does it."""
    texts, group = task.table.columns.texts, task.table.columns.group
    if task.is_source or task.test is not None or group is not None or len(texts) > 1:
        return ""
    return f": set --group {shlex.quote(texts[0])} to keep equal texts together"


def _fractions(task: TableTask) -> str:
    reader = task.reader()
    cut = [f"{100 * fraction:g} % {split}" for split, fraction in reader["holdout_fractions"].items()]
    test = [f"test from {task.test.path}"] if task.test is not None else []
    most = reader.get("max_examples", {}).get("train")
    cap = [f"at most {most} of train"] if most is not None else []
    return ", ".join([*cut, *test, *cap])
