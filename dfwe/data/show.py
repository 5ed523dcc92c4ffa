"""Show the texts that a model reads: `dfwe data show --root FOLDER --task meld --split train --json`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dfwe.config.tasks import Task, load_task, own_corpus
from dfwe.controls import in_one_line, without_controls
from dfwe.data.examples import collect_instances
from dfwe.data.few_shot import REFERENCE_SEED, Shots
from dfwe.data.readers.base import Corpus
from dfwe.data.readers.tlidb import Tlidb
from dfwe.process.arguments import Parser
from dfwe.process.exit import exit_code
from dfwe.records import SPLITS
from dfwe.values.allowed import per_class


def main(argv: Sequence[str] | None = None) -> int:
    """Print a task's instances in the reference's order; return the exit code, 2 for a user error."""
    arguments = _parser().parse_args(argv)
    return exit_code(lambda: _print_entries(arguments))


def _print_entries(arguments: argparse.Namespace) -> None:
    for entry in entries(arguments):
        print(json.dumps(entry) if arguments.json else _readable(entry))


def entries(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield `instance_id`, `source` and `target` of each instance.

    The target is a text; for question answering, whose answers are alternatives, it is the list of them.

    Raises:
        DfweError: an unknown task, data that are missing or broken, or a split without an instance.
    """
    task = load_task(arguments.task, folders=arguments.config_dir, trusted=arguments.trust)
    instances = collect_instances(
        _corpus(task, root=arguments.root, max_words=arguments.max_words),
        prompt=task.prompt,
        split=arguments.split,
        max_words=arguments.max_words,
        seed=0,
        shots=Shots(arguments.shots, seed=REFERENCE_SEED),
    )
    for instance in instances:
        is_choice = bool(task.labels or instance.candidates)
        target = instance.targets[0] if is_choice else list(instance.targets)
        yield {"instance_id": instance.instance_id, "source": instance.source, "target": target}


def _corpus(task: Task, *, root: Path, max_words: int) -> Corpus:
    if task.data is None:
        return Tlidb(root=root).read()
    corpus = own_corpus(task, files=str(root), max_invalid_fraction=1.0, max_words=max_words)
    for report in corpus.row_reports.values():
        for warning in report.warnings():
            print(f"warning: {in_one_line(warning)}", file=sys.stderr)
    return corpus


def _readable(entry: dict[str, Any]) -> str:
    target = entry["target"] if isinstance(entry["target"], str) else " | ".join(entry["target"])
    return without_controls(f"{entry['instance_id']}\n  source: {entry['source']}\n  target: {target}\n")


def _shots(text: str) -> str | int | float:
    return text if text == "all" or per_class(text) else int(text) if text.isdecimal() else float(text)


def _words(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _parser() -> Parser:
    examples = (
        "dfwe data show --root FOLDER --task meld --split train",
        "dfwe data show --config-dir my_conf --root FOLDER --task plants --split dev --json",
    )
    parser = Parser(prog="dfwe data show", description="Show the texts that a model reads.", examples=examples)
    parser.add_argument(
        "--root", type=Path, required=True, help="the folder that holds TLiDB_Friends, or a task's own files"
    )
    parser.add_argument("--task", required=True, help="short or long name of the task")
    parser.add_argument("--split", choices=SPLITS, required=True)
    parser.add_argument("--max-words", type=_words, default=512, help="of a context; 0 is no limit (default: 512)")
    parser.add_argument(
        "--shots", type=_shots, default="all", help="all, a share such as 0.1, a number, or '8 per class'"
    )
    parser.add_argument("--config-dir", type=Path, action="append", default=[], help="a folder with tasks of your own")
    parser.add_argument("--trust", action="store_true", help="run the classes that its YAML names, whosever they are")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    return parser
