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


def read_items(path: str, *, form: Form | None, rows: bool, encoding: str = "utf-8") -> tuple[list[Item], Form]:
    """Return a file's inputs and its form; `rows` says that the task reads rows, so that JSON's keys are columns.

    `encoding` is that of a table with delimiters; the other forms are UTF-8.

    Raises:
        DataError: the file cannot be read, or a line of it is broken.
    """
    if path != STDIN:
        return _read(Path(path), form=form, rows=rows, encoding=encoding)
    if sys.stdin.isatty():
        raise DataError("name a file of questions, or pipe one in")
    with tempfile.TemporaryDirectory() as folder:  # readers read files
        copy = Path(folder) / "stdin"
        copy.write_bytes(sys.stdin.buffer.read())
        try:
            return _read(copy, form=form, rows=rows, encoding=encoding)
        except DfweError as error:
            raise type(error)(str(error).replace(str(copy), "stdin")) from error


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


def _read(path: Path, *, form: Form | None, rows: bool, encoding: str) -> tuple[list[Item], Form]:
    if not path.exists():
        raise DataError(f"there is no file {path}: name a file of questions, or pipe one in")
    if form is None:  # a JSON object begins with a brace, a header rarely does
        form = "jsonl" if read_encoded(path, encoding=encoding).lstrip()[:1] in ("{", "[", "") else "csv"
    if form == "txt":
        return list(_lines(path)), form
    if form == "jsonl" and not rows:
        return [_item(path, number, content) for number, content in read_json_lines(path)], form
    if form == "jsonl":
        sheet = JsonLines(path=str(path.absolute()), encoding="utf-8", rename={}).sheet(Path())
    else:
        _, sheet = read_delimited(path, encoding=encoding, **({"delimiters": "\t"} if form == "tsv" else {}))
    return list(_rows(sheet, path=path)), form


def _lines(path: Path) -> Iterator[Item]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield _item(path, number, line)


def _rows(sheet: Sheet, *, path: Path) -> Iterator[Item]:
    if sheet.report.invalid:
        more = f" (and {len(sheet.report.invalid) - 1} more broken rows)" if len(sheet.report.invalid) > 1 else ""
        first = sheet.report.invalid[0]
        raise DataError(f"{path}, line {first.line}: {first.reason}{more}")
    for warning in sheet.report.warnings():
        print(f"warning: {in_one_line(warning.replace(sheet.origin, str(path)))}", file=sys.stderr)
    for row in sheet.rows:
        yield _item(path, row.line, row.cells)


def _item(path: Path, line: int, content: str | Mapping[str, Any]) -> Item:
    return Item(content, f"{path.stem}-{line}", f"{path}, line {line}", line)
