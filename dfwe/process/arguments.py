"""Read a command's arguments: examples in its help, one line for a mistake, and how much it logs."""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from dfwe.errors import did_you_mean
from dfwe.process.exit import FAILED, complain

_CHOICE = re.compile(r"argument (.+): invalid choice: '(.*)' \(choose from (.+)\)")


class Parser(argparse.ArgumentParser):
    """A parser whose help ends with examples, and which reports a mistake as dfwe reports every error.

    One without commands of its own takes `-v` and `-q`, too.
    """

    def __init__(self, *, examples: Sequence[str] = (), has_commands: bool = False, **options: Any) -> None:
        epilog = "\n".join(["examples:", *(f"  {example}" for example in examples)]) if examples else None
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, epilog=epilog, **options)
        if not has_commands:
            _add_verbosity(self)

    def error(self, message: str) -> NoReturn:
        """End the process with one line and exit code 2."""
        complain(f"{_without_list(message)}: see {self.prog} --help")
        raise SystemExit(FAILED)


def add_command(commands: Any, name: str, summary: str, *, examples: Sequence[str]) -> Parser:
    """Add a command to those of a parser and return its own parser."""
    description = f"{summary[0].upper()}{summary[1:]}."
    parser = commands.add_parser(name, help=summary, description=description, examples=examples)
    assert isinstance(parser, Parser)
    return parser


def log_to_stderr() -> None:
    """Show log lines as studies show them."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")


class _LogLevel(argparse.Action):
    """Sets the level from which dfwe's own log lines are shown."""

    def __call__(self, *_: Any) -> None:
        logging.getLogger("dfwe").setLevel(self.const)


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    options: dict[str, Any] = {"action": _LogLevel, "nargs": 0, "default": argparse.SUPPRESS}
    group.add_argument("-v", "--verbose", const=logging.INFO, help="log more", **options)
    group.add_argument("-q", "--quiet", const=logging.ERROR, help="log no warnings", **options)


def _without_list(message: str) -> str:
    """Return argparse's message; of a wrong choice name the closest one first."""
    if (match := _CHOICE.match(message)) is None:
        return message
    name, word, choices = match[1], match[2], [choice.strip("' ") for choice in match[3].split(",")]
    return f"unknown {name.lower()} '{word}'{did_you_mean(word, choices)}: choose one of {', '.join(choices)}"
