"""Files of questions and answers: CSV, TSV, JSON lines, plain lines; `-` is the standard input."""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from dfwe.controls import in_one_line
from dfwe.data.prompts.template import named_cells
from dfwe.data.readers.delimited import header_of, read_delimited
from dfwe.data.readers.json_lines import JsonLines
from dfwe.data.readers.sheet import Sheet, read_text
from dfwe.errors import DataError, DfweError
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
    path: str, *, form: Form | None, columns: Sequence[str] | None, encoding: str = "utf-8", quoting: bool = True
) -> tuple[list[Item], Form]:
    """Return a file's inputs and its form, `form` if it is given; `columns` are those of a task that reads rows.

    A `.txt` file is a table where its first line names these columns, else lines. JSON lines are UTF-8. `quoting` is
    how the table was read that the model learnt from, which is tried first.

    Raises:
        DataError: the file cannot be read, or a line of it is broken.
    """
    if path == STDIN and sys.stdin.isatty():
        raise DataError("name a file of questions, or pipe one in")
    name = Path("stdin" if path == STDIN else path)
    read = partial(_read, name=name, form=form, columns=columns, encoding=encoding, quoting=quoting)
    if path != STDIN and (name.is_file() or not name.exists()):
        return read(name)
    with tempfile.TemporaryDirectory() as folder:  # readers read a file, and more than once
        copy = Path(folder) / name.name
        copy.write_bytes(sys.stdin.buffer.read() if path == STDIN else name.read_bytes())
        try:
            return read(copy)
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
    path: Path, *, name: Path, form: Form | None, columns: Sequence[str] | None, encoding: str, quoting: bool
) -> tuple[list[Item], Form]:
    """Return the inputs in a file, and its form; items, and warnings, have the name that the user gave."""
    if not path.exists():
        raise DataError(f"there is no file {path}: name a file of questions, or pipe one in")
    is_guess, form = form is None, form_of(str(name), given=form)
    if form is None:  # a JSON object begins with a brace, a header rarely does
        form = "jsonl" if read_text(path, encoding=encoding).lstrip()[:1] in ("{", "[", "") else "csv"
    if form == "txt" and is_guess and columns is not None and _has_header(path, columns, encoding=encoding):
        form = "csv"
    if form == "txt":
        lines = enumerate(read_text(path, encoding=encoding).split("\n"), start=1)
        return [_item(name, number, line.removesuffix("\r")) for number, line in lines if line.strip()], form
    if form == "jsonl" and columns is None:
        return [_item(name, number, content) for number, content in read_json_lines(path)], form
    if form == "jsonl":
        sheet = JsonLines(path=str(path.absolute()), encoding="utf-8", rename={}).sheet(Path())
    else:
        tab = "\t" if form == "tsv" else None
        _, sheet = read_delimited(path, encoding=encoding, delimiter=tab, quoting=quoting)
    return list(_rows(sheet, name=name)), form


def _has_header(path: Path, columns: Sequence[str], *, encoding: str) -> bool:
    """Return whether a file's first line names the columns."""
    header, delimiter = header_of(path, encoding=encoding)
    names = next(csv.reader([header], delimiter=delimiter), [])
    return named_cells(dict.fromkeys(names), columns=columns).keys() >= set(columns)


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
