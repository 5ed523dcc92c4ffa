"""The command `dfwe`: a table of subcommands, each imported once it is called, so that all others start at once."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from dfwe import __version__
from dfwe.errors import ConfigurationError, did_you_mean
from dfwe.execution.launched import as_one_command
from dfwe.process.arguments import log_to_stderr
from dfwe.process.exit import as_process, exit_code
from dfwe.process.interrupt import GOES_ON

RUN = "run"
_RESUMABLE = (RUN, "fit", "search")  # after an interrupt the same command goes on where it stopped


@dataclass(frozen=True)
class Command:
    """The module whose `main` takes the arguments and returns the exit code, and a line of help."""

    module: str
    summary: str


COMMANDS = {
    RUN: Command("dfwe.run", "run a study or a sweep; `dfwe +target=meld` is the same"),
    "fit": Command("dfwe.fit.command", "from a table to a model, in one line"),
    "search": Command("dfwe.fit.search", "find the coefficients for models of your own"),
    "merge": Command("dfwe.combine", "merge models' files, by a method or a recipe"),
    "preflight": Command("dfwe.preflight", "check that models can be merged, before any work"),
    "predict": Command("dfwe.predict.command", "answer questions with a model of a study"),
    "score": Command("dfwe.score", "score predictions of a task"),
    "data show": Command("dfwe.data.show", "show the texts that a model reads"),
    "data prepare": Command("dfwe.data.prepare", "make FETA-Friends from its public releases"),
    "report": Command("dfwe.report.command", "list, compare and convert finished studies"),
    "store": Command("dfwe.store.command", "list, verify and prune stored results"),
}
_EXAMPLES = {
    "": ("dfwe +target=meld merge=nelder_mead", "dfwe fit messages.csv --text text --label topic"),
    "data": (
        "dfwe data show --root FOLDER --task meld --split train",
        "dfwe data prepare friends --out FOLDER",
    ),
}
_TITLE = "dfwe trains experts, merges their weights, and says whether that helped"
_MORE = "`dfwe COMMAND --help` shows a command's options, `dfwe run --help` what a study can be set to."


def main() -> NoReturn:
    """Run the command as a process."""
    arguments = sys.argv[1:]
    name, rest = command_of(arguments)
    advice = GOES_ON if name in _RESUMABLE and "--help" not in rest else ""
    as_process(lambda: dispatch(arguments), advice=advice)


def dispatch(arguments: Sequence[str]) -> int:
    """Run the subcommand that the arguments name and return its exit code."""
    name, rest = command_of(arguments)
    if name in COMMANDS:
        return _call(name, rest)
    if rest[:1] == ["--version"]:
        print(f"dfwe {__version__}")
        return 0
    if (rest[0] if rest else "--help") in ("--help", "-h"):
        print(overview(name))
        return 0
    return exit_code(lambda: _refuse(rest[0], group=name))


def command_of(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the name of the subcommand, and its arguments.

    What begins with a setting or a flag of Hydra's is a study. The name is empty, or that of a group of commands, where
    no command is named.
    """
    first = arguments[0] if arguments else "--help"
    if _is_setting(first) or (first.startswith("-") and first not in ("--help", "-h", "--version")):
        return RUN, list(arguments)
    for length in (1, 2):
        name = " ".join(arguments[:length])
        if name in COMMANDS:
            return name, list(arguments[length:])
    return (first, list(arguments[1:])) if _subcommands(first) else ("", list(arguments))


def overview(group: str = "") -> str:
    """Return what `--help` prints: the commands, two examples, and where there is more."""
    names = _subcommands(group) if group else list(COMMANDS)
    width = max(map(len, names))
    title = f"dfwe {group}: choose a command" if group else _TITLE
    lines = [title, "", *(f"  dfwe {name:{width}}  {COMMANDS[name].summary}" for name in names)]
    lines += ["", "examples:", *(f"  {example}" for example in _EXAMPLES[group]), "", _MORE]
    return "\n".join(lines)


def _call(name: str, arguments: list[str]) -> int:
    """Import the command and run it."""
    if name != RUN:  # whose log Hydra configures
        log_to_stderr()
    elif {"-sc", "--shell-completion"} & set(arguments) and not _hydra_completes(os.environ.get("COMP_LINE", "")):
        return 0
    return as_one_command(lambda: int(importlib.import_module(COMMANDS[name].module).main(arguments)))


def _hydra_completes(line: str) -> bool:
    """Print the commands that complete a shell's line; return whether Hydra, which knows studies alone, adds to them.

    The line is empty where completion is installed.
    """
    words = line.split()[1:]
    names = dict.fromkeys(name.split()[0] for name in COMMANDS)
    is_first_word = len(words) + line.endswith(" ") <= 1
    if line and is_first_word:
        print(*(name for name in names if name.startswith("".join(words))), sep="\n")
        return True
    if words[:1] == [RUN]:
        os.environ["COMP_LINE"] = line.replace(f" {RUN}", "", 1)
        return True
    return not words or words[0] not in names


def _is_setting(word: str) -> bool:
    return "=" in word or word.startswith(("+", "~"))


def _subcommands(group: str) -> list[str]:
    return [name for name in COMMANDS if name.split()[:-1] == [group]]


def _refuse(word: str, *, group: str) -> NoReturn:
    """Refuse an unknown command.

    Raises:
        ConfigurationError: always, with the closest name.
    """
    names = [name.removeprefix(group).split()[0] for name in (_subcommands(group) or COMMANDS)]
    known = ", ".join(dict.fromkeys(names))
    whose = f"dfwe {group}".rstrip()
    study = "" if group else "; a study needs no command, as in dfwe +target=meld"
    close = did_you_mean(word, names)
    raise ConfigurationError(f"{whose} has no command '{word}'{close}: choose one of {known}{study}")
