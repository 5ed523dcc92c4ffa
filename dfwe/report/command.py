"""Report on finished studies: submission, sweep, page, list, markdown, wandb."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dfwe.controls import without_controls
from dfwe.process.arguments import Parser, add_command
from dfwe.process.exit import exit_code
from dfwe.report.run_folder import read_run, readable_results
from dfwe.report.study_tables import cost_table, merges_table, model_tables, present
from dfwe.report.submission import submission_table, write_submission
from dfwe.report.sweep.collect import collect
from dfwe.report.sweep.report import FORMS, report_sweep
from dfwe.report.tables import markdown
from dfwe.report.terminal.console import FittedTable, show_plain
from dfwe.report.terminal.run_list import DEFAULT, list_runs, run_records
from dfwe.report.wandb.workspace import add_wandb


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand; return the exit code, 2 for an error of the user's."""
    arguments = _parser().parse_args(argv)
    return exit_code(lambda: arguments.command(arguments))


def _submission(arguments: argparse.Namespace) -> None:
    tasks = write_submission(arguments.folders, out=arguments.out, model=arguments.model, partial=arguments.partial)
    if table := submission_table(tasks):
        show_plain(FittedTable(table))
        print(table.notes)
    for task in tasks:
        for warning in task.warnings():
            print(f"warning: {warning}", file=sys.stderr)
    print(f"submission: {arguments.out}")


def _sweep(arguments: argparse.Namespace) -> None:
    folders = arguments.folders
    if arguments.collect is not None:
        _, left_out = collect(folders, into=arguments.collect)
        for reason in left_out:
            print(f"left out: {reason}", file=sys.stderr)
        folders = [arguments.collect]
    report_sweep(*folders, form=arguments.format)


def _page(arguments: argparse.Namespace) -> None:
    from dfwe.report.html.compare_page import write_comparison  # matplotlib: a second

    print(f"page: {write_comparison(arguments.folders, out=arguments.out)}")


def _markdown(arguments: argparse.Namespace) -> None:
    results = read_run(arguments.folder).results
    with readable_results(arguments.folder):
        tables = [*model_tables(results), *present(merges_table(results), cost_table(results))]
        print("\n".join(without_controls(markdown(table)) for table in tables), end="")


def _list(arguments: argparse.Namespace) -> None:
    folders = [arguments.folder] if arguments.folder else [folder for folder in DEFAULT if folder.is_dir()]
    if arguments.json:
        print(json.dumps(run_records(folders), indent=2, ensure_ascii=False))
    else:
        show_plain(list_runs(folders))


def _parser() -> Parser:
    examples = ("dfwe report list", "dfwe report page multirun/DATE/TIME")
    description = "List, compare and convert finished studies."
    parser = Parser(prog="dfwe report", description=description, examples=examples, has_commands=True)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_list(commands)
    _add_page(commands)
    _add_sweep(commands)
    _add_submission(commands)
    _add_markdown(commands)
    add_wandb(commands)
    return parser


def _add_list(commands: Any) -> None:
    summary = "list past runs with their headline numbers, the newest first"
    parser = add_command(commands, "list", summary, examples=("dfwe report list", "dfwe report list multirun --json"))
    parser.add_argument("folder", type=Path, nargs="?", help="where to look; by default outputs and multirun")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(command=_list)


def _add_page(commands: Any) -> None:
    examples = ("dfwe report page multirun/DATE/TIME", "dfwe report page outputs/DATE --out november.html")
    summary = "write a page that compares runs, with tables to sort and filter"
    parser = add_command(commands, "page", summary, examples=examples)
    parser.add_argument("folders", type=Path, nargs="+", help="run folders, or folders of runs, such as a sweep's")
    parser.add_argument("--out", type=Path, help="the file to write; by default comparison.html in the first folder")
    parser.set_defaults(command=_page)


def _add_sweep(commands: Any) -> None:
    examples = (
        "dfwe report sweep multirun/DATE/TIME",
        "dfwe report sweep multirun/DATE/TIME outputs/DATE --collect results/NAME",
        "dfwe report sweep results/NAME --format markdown > table.md",
    )
    parser = add_command(commands, "sweep", "print the tables of runs over targets and seeds", examples=examples)
    help = "run folders, folders of runs such as a sweep's, or collected results"
    parser.add_argument("folders", type=Path, nargs="+", help=help)
    parser.add_argument("--format", choices=("terminal", *FORMS), default="terminal", help="CSV has the first table")
    help = "first copy the results into this folder, without texts and paths, and report what it then holds"
    parser.add_argument("--collect", type=Path, metavar="FOLDER", help=help)
    parser.set_defaults(command=_sweep)


def _add_submission(commands: Any) -> None:
    examples = (
        "dfwe report submission RUN_FOLDERS --out submission.zip",
        "dfwe report submission RUN_FOLDER --partial --model baseline --out part.zip",
    )
    summary = "write the predictions of seven studies for FETA-Friends"
    parser = add_command(commands, "submission", summary, examples=examples)
    parser.add_argument("folders", type=Path, nargs="+", help="run folders, one per task")
    parser.add_argument("--out", type=Path, required=True, help="the zip to write")
    parser.add_argument("--model", help="the model in predictions.csv; by default the headline merge")
    parser.add_argument("--partial", action="store_true", help="write it though tasks are missing")
    parser.set_defaults(command=_submission)


def _add_markdown(commands: Any) -> None:
    examples = ("dfwe report markdown RUN_FOLDER", "dfwe report markdown RUN_FOLDER > notes.md")
    summary = "print the tables of a run in Markdown, for notes and papers"
    parser = add_command(commands, "markdown", summary, examples=examples)
    parser.add_argument("folder", type=Path, help="the run's folder, outputs/<date>/<time>_...")
    parser.set_defaults(command=_markdown)
