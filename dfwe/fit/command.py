"""From a table to a model in one line: `dfwe fit messages.csv --text text --label topic --source other.csv`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dfwe.conf import conf_dir
from dfwe.controls import without_controls
from dfwe.errors import ConfigurationError
from dfwe.fit.report import description, shared
from dfwe.fit.run import Plan, add_table_options, run_plan, table_options, write_tasks
from dfwe.fit.study import check_model, check_settings, chosen_model, study_arguments
from dfwe.fit.task import TableTask, yaml_text
from dfwe.fit.tasks import read_tasks
from dfwe.io.strict_yaml import read_yaml
from dfwe.process.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_intermixed_args(arguments)
    return run_plan(partial(_prepare, options), dry_run=options.dry_run, again="again, with edited tasks")


def _prepare(options: argparse.Namespace) -> Plan:
    """Write the tasks' YAML, tell what was guessed, and return what is to be run.

    Raises:
        DfweError: a table, a column, the model or the output folder is not what the study needs.
    """
    defaults = read_yaml(conf_dir() / "fit.yaml")
    if options.shots is not None and options.shots < 1:
        raise ConfigurationError(f"--shots {options.shots}: expected a number above 0")
    if words := [word for word in options.setting if "=" not in word]:
        raise ConfigurationError(f"'{words[0]}' is not a setting, key=value: another table is --source {words[0]}")
    check_settings(options.setting)
    tasks = read_tasks(options.table, sources=options.source, options=table_options(options), defaults=defaults)
    target, *sources = tasks
    named = options.model or defaults["models"][target.kind]
    model, source = chosen_model(named)
    check_model(model, tasks=tasks)
    options.out = options.out or Path("outputs") / f"fit_{target.name}"
    for task in tasks:
        overlap = shared(task, target=target) if task.is_source else ()
        lines = (*description(task, shots=None if task.is_source else options.shots), *overlap)
        print(*map(without_controls, lines), sep="\n")
    conf = options.out / "conf"
    names = [source.name for source in sources]
    contents = {conf / "task" / f"{task.name}.yaml": _yaml(task, sources=names, target=target.name) for task in tasks}
    shots = [] if options.shots is None else [f"data.shots={{{target.name}: {options.shots}}}"]
    settings = [*source, *shots, f"seed={options.seed}", *options.setting]
    study = study_arguments(target.name, sources=names, model=model, settings=settings, out=options.out)
    write_tasks(contents, study=study)
    print(f"tasks: {', '.join(map(str, contents))}")
    print(f"model: {named}")
    print(f"study: {shlex.join(['dfwe', *study])}")
    if not sources:
        print(
            "sources: none, so the table alone is trained on, once and twice as long; experts to merge come from "
            "related tables, --source TABLE"
        )
    if options.dry_run:
        print("nothing was trained: edit the tasks if you like, then run the study's command")
    return Plan(target, options.out, study)


def _yaml(task: TableTask, *, sources: Sequence[str], target: str) -> str:
    others = sources if not task.is_source else [target]
    comment = f"Written by `dfwe fit` for {task.table.path.name}; edit it and run the study's command again."
    return yaml_text(task.content(sources=others), comment=comment)


def _parser() -> Parser:
    examples = (
        "dfwe fit messages.csv --text text --label topic",
        "dfwe fit pairs.tsv --text premise --text hypothesis --label relation --source other.tsv --dry-run",
    )
    description = "From a table to a model: guess columns, cut splits, write tasks, train, merge, and choose one model."
    parser = Parser(prog="dfwe fit", description=description, examples=examples)
    parser.add_argument("table", type=Path, help="CSV, TSV or another delimited file with a header, or JSON Lines")
    parser.add_argument("setting", nargs="*", help="a setting of the study, such as trainer.train.epochs=3")
    add_table_options(parser)
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        type=Path,
        metavar="TABLE",
        help="a related table, with labels of its own",
    )
    parser.add_argument(
        "--model",
        help="a folder, a name on the Hub, or an option of conf/model; else minilm_classifier, or minilm for free text",
    )
    parser.add_argument("--shots", type=int, metavar="N", help="so many rows of train and of dev")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the trainings and the search")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where all goes; else outputs/fit_TABLE")
    parser.add_argument("--dry-run", action="store_true", help="write the tasks and stop before anything is trained")
    return parser
