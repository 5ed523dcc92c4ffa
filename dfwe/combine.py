"""Merge models by a recipe, from files to a folder: `dfwe merge recipe.yaml FOLDER`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dfwe.process.arguments import Parser
from dfwe.process.exit import as_process, exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _combine(options.recipe, out=options.out))


def _combine(recipe: Path, *, out: Path) -> None:
    from dfwe.merging.files.merge_files import merge_files  # torch: seconds, after the arguments are known to be right

    print(f"{out}: {merge_files(recipe, out=out)} tensors")


def _parser() -> Parser:
    examples = ("dfwe merge recipe.yaml merged", "dfwe merge recipe.yaml merged --verbose")
    parser = Parser(prog="dfwe merge", description="Merge models' files by a recipe into a folder.", examples=examples)
    parser.add_argument("recipe", type=Path, help="a recipe in mergekit's format; its paths are relative to here")
    parser.add_argument("out", type=Path, help="the folder to write, which must not exist")
    return parser


if __name__ == "__main__":
    as_process(main)
