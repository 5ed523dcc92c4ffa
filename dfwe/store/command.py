"""List, verify and prune what a store holds: `dfwe store list`, `verify`, `prune --older-than DAYS`."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from dfwe.controls import in_one_line
from dfwe.errors import StoreError
from dfwe.process.arguments import Parser, add_command
from dfwe.process.exit import exit_code
from dfwe.store.card import NewerFormatError, UnreadableError
from dfwe.store.inventory import DAMAGED, FINISHED, LINK, NEWER, OLDER, inventory, lines_of, num, total
from dfwe.store.prune import run_prune
from dfwe.store.store import verify

_DESCRIPTION = "List, verify and prune what a store holds."
_EXAMPLES = ("dfwe store list", "dfwe store prune --older-than 30")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand; return the exit code, 2 for a user error or a damaged result."""
    arguments = _parser().parse_args(argv)
    commands = {"list": _list, "verify": _verify, "prune": run_prune}
    return exit_code(lambda: commands[arguments.command](arguments))


def _list(arguments: argparse.Namespace) -> None:
    items = inventory(arguments.store)
    if arguments.json:
        print(json.dumps([item.record() for item in items], indent=2))
        return
    print(*lines_of(items), sep="\n")
    print(total(items))


def _verify(arguments: argparse.Namespace) -> None:
    damaged = []
    for item in inventory(arguments.store):
        if item.state not in (FINISHED, DAMAGED, LINK, NEWER, OLDER):
            continue
        try:
            verify(item.folder)
        except NewerFormatError as error:
            print(f"newer: {in_one_line(error)}")
        except (StoreError, UnreadableError) as error:
            damaged.append(item)
            print(f"damaged: {in_one_line(error)}")
    print("every file is what was stored" if not damaged else f"{num(len(damaged))} damaged")
    if damaged:
        names = ", ".join(item.folder.name for item in damaged)
        raise StoreError(f"damaged: {names}; a study that needs one sets it aside and makes it again, or delete it")


def _parser() -> Parser:
    parser = Parser(prog="dfwe store", description=_DESCRIPTION, examples=_EXAMPLES, has_commands=True)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    listing = add_command(
        commands,
        "list",
        "list each result with its size and age, the oldest first",
        examples=("dfwe store list", "dfwe store list --store /shared/store --json"),
    )
    listing.add_argument("--json", action="store_true", help="print a JSON list")
    checking = add_command(
        commands,
        "verify",
        "compare every file with its digest",
        examples=("dfwe store verify", "dfwe store verify --store /shared/store"),
    )
    pruning = add_command(
        commands,
        "prune",
        "delete what is old or large, and nothing that a running study uses",
        examples=("dfwe store prune --older-than 30 --dry-run", "dfwe store prune --keep-size 20 --yes"),
    )
    pruning.add_argument("--older-than", type=float, metavar="DAYS", help="since it was made")
    pruning.add_argument("--larger-than", type=float, metavar="GB", help="single results larger than this")
    pruning.add_argument("--keep-size", type=float, metavar="GB", help="the oldest, until no more than this is left")
    pruning.add_argument("--older-format", action="store_true", help="what an older version made, which is not used")
    pruning.add_argument("--dry-run", action="store_true", help="list what would be deleted, and delete nothing")
    pruning.add_argument("--yes", action="store_true", help="delete without a question, up to half of the store")
    pruning.add_argument("--above-half", action="store_true", help="with --yes: above half of the store, too")
    default = Path(os.environ.get("DFWE_STORE", "outputs/store"))  # as conf/paths/default.yaml has it
    for command in (listing, checking, pruning):
        command.add_argument(
            "--store",
            type=lambda text: Path(text).expanduser(),
            default=str(default),
            help=f"its folder, else {default}",
        )
    return parser
