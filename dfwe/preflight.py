"""Check that models can be merged, before any work: `dfwe preflight A B C --base P`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from dfwe.errors import ConfigurationError
from dfwe.process.arguments import Parser
from dfwe.process.exit import exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; return the exit code, 2 where a model cannot be merged with the others."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _preflight(options))


def _preflight(options: argparse.Namespace) -> None:
    models = {name: Path(name) for name in options.models}
    if len(models) < len(options.models):
        twice = next(name for name in models if options.models.count(name) > 1)
        raise ConfigurationError(f"{twice} is named twice: name each expert once")
    from dfwe.merging.files.preflight import preflight  # torch: a second, after the arguments are known to be right

    result = preflight(models, base=options.base, out=options.out)
    if options.json:
        from dfwe.io.strict_json import json_text

        print(json_text(result.record()))
    else:
        from dfwe.report.terminal.console import show_plain
        from dfwe.report.terminal.preflight_table import draw_preflight

        show_plain(draw_preflight(result.record()["findings"]))
    result.check()


def _parser() -> Parser:
    examples = ("dfwe preflight expert_a expert_b --base parent", "dfwe preflight expert_a expert_b expert_c --json")
    description = "Check that models can be merged, before any work: nothing is loaded, trained or written."
    parser = Parser(prog="dfwe preflight", description=description, examples=examples)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="an expert's folder in Transformers' format")
    parser.add_argument(
        "--base", type=Path, metavar="MODEL", help="the folder of the model that all experts start from"
    )
    parser.add_argument("--out", type=Path, default=Path(), help="a folder on the disk that results will be written to")
    parser.add_argument("--json", action="store_true", help="print a JSON object, with all distances and cosines")
    return parser
