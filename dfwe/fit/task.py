"""Make of a table the YAML of a task: its prompt, its answers, its splits."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from dfwe.config.instantiate import bind
from dfwe.data.prompts.template import column_name
from dfwe.data.readers.base import Corpus
from dfwe.data.readers.sheet import SheetSource, cell_line
from dfwe.errors import DataError
from dfwe.fit.table import LabelledTable, is_number
from dfwe.io.strict_yaml import EXPONENT
from dfwe.records import Split

_ANSWERS = "dfwe.data.prompts.answers"
OF_MODULES = (  # attributes of torch's ModuleDict, in which a task's head cannot have their names
    *("apply", "bfloat16", "buffers", "children", "clear", "compile", "cpu", "cuda", "double", "eval", "float"),
    *("forward", "half", "ipu", "items", "keys", "modules", "mtia", "parameters", "pop", "to", "train", "training"),
    *("type", "update", "values", "xpu"),
)
HYDRA_WORDS = ("true", "false", "null", "inf", "nan")  # which it does not read as text


@dataclass(frozen=True)
class TableTask:
    """A table, the kind of its answers, and the table of its test split, if it has one of its own."""

    name: str
    table: LabelledTable
    kind: str
    values: tuple[str, ...]  # of the label column, in the tables of all splits
    test: LabelledTable | None
    is_source: bool
    defaults: Mapping[str, Any]  # of conf/fit.yaml
    notes: tuple[str, ...] = ()  # for the user, on options that do not fit
    metric: str | None = None  # the user's own function; else those of conf/fit.yaml
    trains: bool = True  # else its train split may be as small as can be

    @property
    def metric_name(self) -> str | None:
        """Name of the user's own function, without its module."""
        return None if self.metric is None else self.metric.rpartition(":")[2].rpartition(".")[2]

    def splits(self) -> dict[Split, int]:
        """Return the number of rows of each split.

        Raises:
            DataError: a split has too few rows, or train has one label only.
        """
        sizes = {split: number.total() for split, number in self.answers.items()}
        self._check(sizes, num_labels=len(self.answers["train"]))
        return sizes

    @cached_property
    def answers(self) -> dict[Split, Counter[str]]:
        """Number of rows of each split by their answer."""
        answer = column_name(self.table.columns.label)
        return {split: Counter(cell_line(cells[answer]) for cells in rows) for split, rows in self._cells.items()}

    def num_groups(self, split: Split) -> int:
        """Return the number of groups of a split's rows; of its rows, where the table has none."""
        if self.table.columns.group is None:
            return len(self._cells[split])
        group = column_name(self.table.columns.group)
        return len({cell_line(cells[group]) for cells in self._cells[split]})

    def num_repeated(self) -> int:
        """Return the number of rows whose texts stand in another split, too."""
        num_splits = Counter(text for split in self.texts.values() for text in split)
        return sum(number for split in self.texts.values() for text, number in split.items() if num_splits[text] > 1)

    @cached_property
    def texts(self) -> dict[Split, Counter[tuple[str, ...]]]:
        """Number of rows of each split by their texts."""
        names = [column_name(name) for name in self.table.columns.texts]
        return {
            split: Counter(tuple(cell_line(c[name]) for name in names) for c in self._cells[split])
            for split in self._cells
        }

    @cached_property
    def _cells(self) -> dict[Split, list[Mapping[str, Any]]]:
        """Cells of each split's rows."""
        corpus: Corpus = bind(self.reader(), root=self.table.path.parent.resolve()).read()
        return {
            split: [row["cells"] for name in names for row in corpus.dialogues[name]["rows"]]
            for split, names in corpus.splits.items()
        }

    def _check(self, sizes: Mapping[Split, int], *, num_labels: int) -> None:
        rows = ", ".join(f"{sizes[split]} for {split}" for split in sizes)
        needed = dict.fromkeys(sizes, self.defaults["min_rows"]) | ({} if self.trains else {"train": 1})
        if any(sizes[split] < needed[split] for split in sizes):
            raise DataError(
                f"{self.table.path}: its rows are too few, {rows}: a split needs {self.defaults['min_rows']}; add rows"
                f"{'' if self.is_source else ', or name a test file with --test'}"
            )
        if self.trains and num_labels < 2:
            raise DataError(f"{self.table.path}: train has one label only ({rows}): add rows of other labels")

    def content(self, *, sources: Sequence[str]) -> dict[str, Any]:
        """Return the task as YAML holds it."""
        columns = self.table.columns
        texts, label = [column_name(name) for name in columns.texts], column_name(columns.label)
        return {
            "name": self.name,
            "default_sources": list(sources),
            "labels": list(self.values) if self.kind == "labels" else [],
            "decode": {"labels": "labels", "number": "candidates", "text": "greedy"}[self.kind],
            "max_new_tokens": self.defaults["max_new_tokens"][self.kind],
            "prompt": {
                "_target_": "dfwe.data.prompts.template.Template",
                "task": "${..name}",
                "context": " ".join(f"{text}: {{{text}}}" for text in texts),
                "prompt": f" {label}:",
                "answer": self._answer(label),
            },
            "metrics": self._metrics(),
            "data": {"root": str(self.table.path.parent.resolve()), "reader": self.reader()},
        }

    def _metrics(self) -> dict[str, Any]:
        if self.metric_name is None:
            return dict(self.defaults["metrics"][self.kind])
        return {self.metric_name: {"_target_": "dfwe.metrics.function.own_function", "function": self.metric}}

    def reader(self) -> dict[str, Any]:
        """Return the reader of the table's splits."""
        columns, defaults = self.table.columns, self.defaults
        fractions = dict(defaults["source_holdout_fractions" if self.is_source else "holdout_fractions"])
        files = {"train": self._file(self.table.path, self.table.source)}
        if self.test is not None:
            files["test"] = self._file(self.test.path, self.test.source)
            fractions.pop("test", None)
        most = defaults["max_source_rows"] if self.is_source else None
        return {
            "_target_": "dfwe.data.readers.table.Table",
            "files": files,
            "holdout_fractions": fractions,
            "seed": defaults["split_seed"],
            "id": None,
            "group": None if columns.group is None else column_name(columns.group),
            "stratify": column_name(columns.label) if self.kind == "labels" else None,
            "exclude": {column_name(name): self._blanks(name) for name in self._used},
            **({"max_examples": {"train": most}} if most is not None else {}),
        }

    @property
    def _used(self) -> tuple[str, ...]:
        return (*self.table.columns.texts, self.table.columns.label)

    def _file(self, path: Path, source: SheetSource) -> dict[str, Any]:
        """Return the file's source, below the table's folder or by its full path."""
        beside = path.parent.resolve() == self.table.path.parent.resolve()
        values = {field.name: getattr(source, field.name) for field in fields(source)}  # type: ignore[arg-type]
        group = self.table.columns.group
        names = [*self._used, *([group] if group is not None else [])]
        values["path"] = path.name if beside else str(path.resolve())
        values["rename"] = {name: column_name(name) for name in names if column_name(name) != name}
        return {"_target_": f"{type(source).__module__}.{type(source).__name__}", **values}

    def _blanks(self, column: str) -> list[str]:
        """Return the cells of a column for which a row is left out: the empty one in any case."""
        tables = [self.table, *([self.test] if self.test is not None else [])]
        cells = (row.cells[column] for table in tables for row in table.sheet.rows)
        is_label = column == self.table.columns.label
        words = [word for table in tables for word in table.missing_cells] if is_label else []
        return sorted({"", *words, *(cell for cell in cells if isinstance(cell, str) and not cell.strip())})

    def _answer(self, label: str) -> dict[str, Any]:
        if self.kind == "labels":
            return {"_target_": f"{_ANSWERS}.ClassLabel", "column": label, "labels": "${...labels}", "texts": {}}
        if self.kind == "text":
            return {"_target_": f"{_ANSWERS}.FreeText", "texts": [label], "separator": None}
        low, high, step, decimals = scale(self.values, num_steps=self.defaults["num_steps"])
        answer = {"column": label, "low": low, "high": high, "step": step, "decimals": decimals}
        return {"_target_": f"{_ANSWERS}.Number", **answer}


def scale(values: Sequence[str], *, num_steps: int) -> tuple[float, float, float, int]:
    """Return low, high, step and decimals of a scale on which all values lie, with at least that many steps.

    The step is 1, 2 or 5 times a power of ten.
    """
    numbers = [float(value) for value in values]
    extent = max(numbers) - min(numbers)
    exponent = math.floor(math.log10(extent / num_steps))
    step = max(factor * 10.0**exponent for factor in (1, 2, 5) if factor * 10.0**exponent * num_steps <= extent * 1.001)
    decimals = max(0, -exponent)
    low, high = math.floor(min(numbers) / step + 1e-9) * step, math.ceil(max(numbers) / step - 1e-9) * step
    return round(low, decimals), round(high, decimals), round(step, decimals), decimals


def ordered(values: Sequence[str]) -> tuple[str, ...]:
    """Return values in the order of their numbers, else of the alphabet."""
    if all(is_number(value) for value in values):
        return tuple(sorted(values, key=float))
    return tuple(sorted(values, key=str.casefold))


def task_name(path: Path, *, taken: Sequence[str]) -> str:
    """Return a short name for the task of a table: its file's, changed where that is taken or no name for Hydra."""
    stem = re.sub(r"\W+", "_", path.stem.lower(), flags=re.ASCII).strip("_") or "table"
    stem = f"table_{stem}" if stem[0].isdecimal() else stem
    names = [stem, f"{stem}_table", *(f"{stem}_{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in (*taken, *HYDRA_WORDS, *OF_MODULES))


def yaml_text(content: Mapping[str, Any], *, comment: str) -> str:
    """Return the YAML of a task below a comment."""
    body = yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"# {comment}\n{body}"


class _Dumper(yaml.SafeDumper):
    """Puts quotes around texts that Hydra and dfwe read as numbers, such as `1e-05`."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789"))
