"""Merge models, from files to a folder: `dfwe merge recipe.yaml FOLDER`, or a method and models by name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dfwe.errors import MergeError
from dfwe.models.hub import push_option
from dfwe.process.arguments import Parser
from dfwe.process.exit import exit_code
from dfwe.values.allowed import is_size

_SUFFIXES = (".yaml", ".yml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    return exit_code(lambda: _combine(options))


def _combine(options: argparse.Namespace) -> None:
    is_recipe = Path(options.what).suffix in _SUFFIXES or Path(options.what).is_file()
    out = _out(options, is_recipe=is_recipe)
    push = push_option(options.push_to, is_public=options.public)
    if not is_size(options.max_shard_size):
        raise MergeError(f"--max-shard-size {options.max_shard_size}: expected a size such as 5GB or 500MB")
    if push is not None:
        push.check()
    # torch: seconds, after the arguments are known to be right
    from dfwe.merging.files.merge_files import merge_files
    from dfwe.merging.files.recipe import read_recipe
    from dfwe.merging.files.recipe_of_method import recipe_of_method

    if is_recipe:
        recipe = read_recipe(Path(options.what))
    else:
        recipe = recipe_of_method(
            options.what, options.paths, weights=options.weights, base=options.base, settings=options.set
        )
        recipe = replace(recipe, tokenizer=options.tokenizer)
    print(f"{out}: {merge_files(recipe, out=out, max_shard_size=options.max_shard_size)} tensors")
    if push is not None:
        print(f"pushed: {push.upload(out)}")


def _out(options: argparse.Namespace, *, is_recipe: bool) -> Path:
    """Return the folder to write; MergeError for arguments that do not go together."""
    if not is_recipe:
        if options.out is None:
            raise MergeError("name the folder to write by --out, as in `dfwe merge linear A B --out merged`")
        return Path(options.out)
    if names := [f"--{name}" for name in ("weights", "base", "set", "tokenizer") if getattr(options, name)]:
        raise MergeError(f"{names[0]} is for a merge without a recipe: set it in {options.what}")
    folders = [*options.paths, *([options.out] if options.out else [])]
    if len(folders) != 1:
        raise MergeError(f"a recipe needs one folder to write, not {len(folders)}: dfwe merge {options.what} FOLDER")
    return Path(folders[0])


def _parser() -> Parser:
    examples = (
        "dfwe merge linear expert_a expert_b --weights 0.3 0.7 --out merged",
        "dfwe merge recipe.yaml merged",
    )
    description = "Merge models' files into a folder, by a method or by a recipe in mergekit's format."
    parser = Parser(prog="dfwe merge", description=description, examples=examples)
    parser.add_argument("what", metavar="METHOD|RECIPE", help="a merge method, such as ties, or a recipe's file")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="the models; after a recipe, the folder to write")
    parser.add_argument("--out", metavar="FOLDER", help="the folder to write, which must not exist")
    parser.add_argument("--weights", nargs="+", type=float, metavar="W", help="one per model; default: 1/n each")
    parser.add_argument("--base", metavar="PATH", help="the models' common parent, for methods of task vectors")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the method, such as density=0.3"
    )
    parser.add_argument(
        "--tokenizer",
        choices=("union", "base"),
        help="align vocabularies that differ by added tokens: all tokens, or those of the base (else the first model)",
    )
    parser.add_argument(
        "--max-shard-size", default="5GB", metavar="SIZE", help="larger weights are cut into shards; default: 5GB"
    )
    parser.add_argument("--push-to", metavar="USER/NAME", help="push the folder to this repository on the Hub")
    parser.add_argument("--public", action="store_true", help="make that repository public; else it is private")
    return parser
