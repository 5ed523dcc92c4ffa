"""Make FETA-Friends from its public releases: `dfwe data prepare friends --out FOLDER`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dfwe.controls import without_controls
from dfwe.data.fetch import fetch_all, unpack
from dfwe.data.friends.prepare import prepare, report_text, summarize, write
from dfwe.data.friends.releases import RELEASES, TLIDB
from dfwe.data.friends.split import OfficialSplit, read_official_split
from dfwe.process.arguments import Parser, add_command
from dfwe.process.exit import exit_code

MAX_INVALID_FRACTION = 0.01  # as data.max_invalid_fraction


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _friends(options))


def _friends(options: argparse.Namespace) -> None:
    raw = options.raw or _download(options.out)
    official = OfficialSplit() if options.split is None else read_official_split(options.split)
    prepared = prepare(raw, official=official, max_invalid_fraction=options.max_invalid_fraction)
    report = summarize(prepared, official=official)
    folder = write(prepared, out=options.out, report=report)
    print(without_controls(report_text(report)))
    print(f"\nwritten to {folder}; use it with: data=friends data.root={options.out}")


def _download(out: Path) -> Path:
    """Download the releases and the benchmark's own file, which is used unchanged."""
    raw = out / "raw"
    missing = fetch_all([*RELEASES, TLIDB], folder=raw, on_progress=print)
    if TLIDB not in missing:
        unpack(raw / TLIDB.path, folder=out / "official")
        print(f"the benchmark's own data set is in {out / 'official'}: data.root={out / 'official'}")
    return raw


def _parser() -> Parser:
    examples = (
        "dfwe data prepare friends --out FOLDER",
        "dfwe data prepare friends --raw RELEASES --out FOLDER --split official.json",
    )
    description = "Make a data set from its public releases."
    parser = Parser(prog="dfwe data prepare", description=description, examples=examples, has_commands=True)
    commands = parser.add_subparsers(dest="data_set", required=True, metavar="DATA_SET")
    summary = "make FETA-Friends in the TLiDB format, from the sets it was made of"
    friends = add_command(commands, "friends", summary, examples=examples)
    friends.add_argument("--raw", type=Path, help="folder of the releases; without it they are downloaded to OUT/raw")
    friends.add_argument("--out", type=Path, required=True, help="folder to write TLiDB_Friends/ into")
    friends.add_argument("--split", type=Path, help="JSON with the official ids as far as known: train, dev, test")
    friends.add_argument("--max-invalid-fraction", type=float, default=MAX_INVALID_FRACTION, help="of a release's rows")
    return parser
