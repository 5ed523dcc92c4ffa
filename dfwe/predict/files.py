"""Files of questions and answers: CSV, TSV, JSON lines, plain lines; `-` is the standard input."""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from dfwe.controls import in_one_line
from dfwe.data.readers.delimited import read_delimited
from dfwe.data.readers.json_lines import JsonLines
from dfwe.data.readers.sheet import Sheet
from dfwe.data.readers.sheet import read_text as read_encoded
from dfwe.errors import DataError, DfweError
from dfwe.io.files import read_text
from dfwe.io.strict_json import json_text, read_json_lines
from dfwe.predict.inputs import Item
from dfwe.predict.predictor import Prediction

Form = Literal["csv", "tsv", "jsonl", "txt"]
FORMS: tuple[Form, ...] = get_args(Form)
STDIN = "-"
_DELIMITERS = {"csv": ",", "tsv": "\t"}


def form_of(path: str, *, given: Form | None) -> Form | None:
    """Return a file's form: the one that was named, else its suffix's, else None."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    return given or next((form for form in FORMS if form == suffix), "jsonl" if suffix == "json" else None)


def read_items(
    path: str, *, form: Form | None, rows: bool, encoding: str = "utf-8", quoting: bool = True
) -> tuple[list[Item], Form]:
    """Return a file's inputs and its form; `rows` says that the task reads rows, so that JSON's keys are columns.

    `encoding` is that of a table with delimiters; the other forms are UTF-8. `quoting` is how the table was read that
    the model learnt from, which is tried first.

    Raises:
        DataError: the file cannot be read, or a line of it is broken.
    """
    if path == STDIN and sys.stdin.isatty():
        raise DataError("name a file of questions, or pipe one in")
    name = Path("stdin" if path == STDIN else path)
    if path != STDIN and (name.is_file() or not name.exists()):
        return _read(name, name=name, form=form, rows=rows, encoding=encoding, quoting=quoting)
    with tempfile.TemporaryDirectory() as folder:  # readers read a file, and more than once
        copy = Path(folder) / name.name
        copy.write_bytes(sys.stdin.buffer.read() if path == STDIN else name.read_bytes())
        try:
            return _read(copy, name=name, form=form, rows=rows, encoding=encoding, quoting=quoting)
        except DfweError as error:
            raise type(error)(str(error).replace(str(copy), str(name))) from error


def write_predictions(predictions: Sequence[Prediction], *, form: Form, probabilities: bool) -> str:
    """Return the answers as text in that form."""
    if form == "txt":
        return "".join(f"{' '.join(prediction.answer.split())}\n" for prediction in predictions)
    if form == "jsonl":
        return "".join(json_text(_entry(prediction, probabilities)) + "\n" for prediction in predictions)
    labels = (
        dict.fromkeys(label for prediction in predictions for label in prediction.probabilities or {})
        if probabilities
        else {}
    )
    out = io.StringIO()
    writer = csv.writer(out, delimiter=_DELIMITERS[form], lineterminator="\n")
    writer.writerow(["instance_id", "prediction", *(f"p_{label}" for label in labels)])
    for prediction in predictions:
        shares = prediction.probabilities or {}
        writer.writerow([prediction.instance_id, prediction.answer, *(shares.get(label, "") for label in labels)])
    return out.getvalue()


def _entry(prediction: Prediction, probabilities: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"instance_id": prediction.instance_id, "prediction": prediction.answer}
    return entry | {"probabilities": prediction.probabilities} if probabilities else entry


def _read(
    path: Path, *, name: Path, form: Form | None, rows: bool, encoding: str, quoting: bool
) -> tuple[list[Item], Form]:
    """Return the inputs in a file, and its form; items, and warnings, have the name that the user gave."""
    if not path.exists():
        raise DataError(f"there is no file {path}: name a file of questions, or pipe one in")
    if form is None:  # a JSON object begins with a brace, a header rarely does
        form = "jsonl" if read_encoded(path, encoding=encoding).lstrip()[:1] in ("{", "[", "") else "csv"
    if form == "txt":
        return list(_lines(path, name=name)), form
    if form == "jsonl" and not rows:
        return [_item(name, number, content) for number, content in read_json_lines(path)], form
    if form == "jsonl":
        sheet = JsonLines(path=str(path.absolute()), encoding="utf-8", rename={}).sheet(Path())
    else:
        tab = "\t" if form == "tsv" else None
        _, sheet = read_delimited(path, encoding=encoding, delimiter=tab, quoting=quoting)
    return list(_rows(sheet, name=name)), form


def _lines(path: Path, *, name: Path) -> Iterator[Item]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield _item(name, number, line)


def _rows(sheet: Sheet, *, name: Path) -> Iterator[Item]:
    if sheet.report.invalid:
        more = f" (and {len(sheet.report.invalid) - 1} more broken rows)" if len(sheet.report.invalid) > 1 else ""
        first = sheet.report.invalid[0]
        raise DataError(f"{name}, line {first.line}: {first.reason}{more}")
    for warning in sheet.report.warnings():
        print(f"warning: {in_one_line(warning.replace(sheet.origin, str(name)))}", file=sys.stderr)
    for row in sheet.rows:
        yield _item(name, row.line, row.cells)


def _item(name: Path, line: int, content: str | Mapping[str, Any]) -> Item:
    return Item(content, f"{name.stem}-{line}", f"{name}, line {line}", line)
