"""Report on finished studies: submission, sweep, page, list, markdown, wandb."""

from __future__ import annotations

if __name__ == "__main__":  # here, so that Ctrl-C is heard while the rest is imported
    from dfwe.process.exit import run_module

    run_module("dfwe.report.__main__")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dfwe.controls import without_controls
from dfwe.process.exit import exit_code
from dfwe.report.run_folder import read_run, readable_results
from dfwe.report.study_tables import cost_table, merges_table, model_tables, present
from dfwe.report.submission import submission_table, write_submission
from dfwe.report.sweep.report import report_sweep
from dfwe.report.tables import markdown
from dfwe.report.terminal.console import FittedTable, show_plain
from dfwe.report.terminal.run_list import DEFAULT, list_runs
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
    report_sweep(arguments.folder)


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
    show_plain(list_runs(folders))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dfwe.report", description="Report on finished studies.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    submission = commands.add_parser("submission", help="the predictions of seven studies for FETA-Friends")
    submission.add_argument("folders", type=Path, nargs="+", help="run folders, one per task")
    submission.add_argument("--out", type=Path, required=True, help="the zip to write")
    submission.add_argument("--model", help="the model in predictions.csv; by default the headline merge")
    submission.add_argument("--partial", action="store_true", help="write it though tasks are missing")
    submission.set_defaults(command=_submission)
    sweep = commands.add_parser("sweep", help="the tables of a finished sweep, as at its end")
    sweep.add_argument("folder", type=Path, help="the sweep's folder, multirun/<date>/<time>")
    sweep.set_defaults(command=_sweep)
    page = commands.add_parser("page", help="a page that compares runs, with tables to sort and filter")
    page.add_argument("folders", type=Path, nargs="+", help="run folders, or folders of runs, such as a sweep's")
    page.add_argument("--out", type=Path, help="the file to write; by default comparison.html in the first folder")
    page.set_defaults(command=_page)
    tables = commands.add_parser("markdown", help="the tables of a run in Markdown, for notes and papers")
    tables.add_argument("folder", type=Path, help="the run's folder, outputs/<date>/<time>_...")
    tables.set_defaults(command=_markdown)
    runs = commands.add_parser("list", help="past runs with their headline numbers, the newest first")
    runs.add_argument("folder", type=Path, nargs="?", help="where to look; by default outputs and multirun")
    runs.set_defaults(command=_list)
    add_wandb(commands)
    return parser
