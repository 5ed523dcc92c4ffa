"""What `dfwe fit` and `dfwe search` share: write the tasks of tables, run the study, tell its outcome."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfwe.fit.report import outcome
from dfwe.fit.study import check_not_edited
from dfwe.fit.table import KINDS
from dfwe.fit.task import TableTask
from dfwe.fit.tasks import NO_GROUP, TableOptions
from dfwe.io.files import write_text
from dfwe.models.hub import Push
from dfwe.process.arguments import Parser
from dfwe.process.exit import exit_code
from dfwe.report.run_folder import BEST


@dataclass(frozen=True)
class Plan:
    """The target, the folder for everything, and the arguments of the study."""

    target: TableTask
    out: Path
    study: list[str]
    push: Push | None = None  # of the model to ship


def run_plan(prepare: Callable[[], Plan], *, dry_run: bool, again: str) -> int:
    """Run the study that `prepare` returns, unless `dry_run`, and return the exit code; `again` begins its command."""
    plans: list[Plan] = []
    if code := exit_code(lambda: plans.append(prepare())):
        return code
    (plan,) = plans
    if dry_run:
        return 0
    if plan.push is not None and (code := exit_code(plan.push.check)):
        return code
    from dfwe.run import main as run_study

    start = time.monotonic()
    return run_study(plan.study) or exit_code(lambda: _tell(plan, again=again, seconds=time.monotonic() - start))


def add_table_options(parser: Parser) -> None:
    """Add the options that say how tables are read, which `table_options` returns."""
    parser.add_argument("--text", action="append", default=[], metavar="COLUMN", help="the text; twice for a pair")
    parser.add_argument("--label", metavar="COLUMN", help="what is predicted; else guessed, and shown")
    parser.add_argument("--kind", choices=KINDS, help="of the table's answers; else guessed by the label column")
    parser.add_argument(
        "--group",
        metavar="COLUMN",
        help=f"rows of one group never stand in two splits; else guessed, and shown; '{NO_GROUP}' for no groups",
    )
    parser.add_argument("--test", type=Path, metavar="TABLE", help="the test split; else a part of the table")
    parser.add_argument("--metric", metavar="FUNCTION", help="your own, module:function or file.py:function")
    parser.add_argument("--encoding", default="utf-8", help="of the tables")


def table_options(options: argparse.Namespace) -> TableOptions:
    """Return the command's options that say how tables are read."""
    return TableOptions(
        texts=tuple(options.text),
        label=options.label,
        group=options.group,
        kind=options.kind,
        test=options.test,
        encoding=options.encoding,
        metric=options.metric,
    )


def write_tasks(contents: Mapping[Path, str], *, study: Sequence[str]) -> None:
    """Write the tasks' YAML; ConfigurationError where a file is there with other content."""
    check_not_edited(contents, study=study)
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)


def _tell(plan: Plan, *, again: str, seconds: float) -> None:
    print(*outcome(plan.out, target=plan.target), sep="\n")
    print(f"{again}: {shlex.join(['dfwe', *plan.study])}")
    print(f"took {seconds / 60:.1f} minutes")
    if plan.push is not None:
        print(f"pushed: {plan.push.upload(plan.out / BEST)}")
