"""Score predictions from a file: `dfwe score --task meld cases.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dfwe.config.tasks import load_task
from dfwe.errors import DataError
from dfwe.io.strict_json import read_json_lines
from dfwe.process.arguments import Parser
from dfwe.process.exit import exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Print metrics and score as one JSON object; return the exit code, 2 for a user error."""
    arguments = _parser().parse_args(argv)
    options = {"task": arguments.task, "folders": arguments.config_dir, "trusted": arguments.trust}
    return exit_code(lambda: print(json.dumps(score_file(arguments.cases, **options))))


def score_file(path: Path, *, task: str, folders: Sequence[Path] = (), trusted: bool = False) -> dict[str, Any]:
    """The task's long name, the number of lines, the mean of the metrics, metrics by name; fractions in [0, 1].

    Unless `trusted` the tasks in `folders` are made of dfwe's own classes alone.

    Raises:
        DfweError: an unknown task, a file that cannot be read, a broken line, or what the metrics refuse.
    """
    loaded = load_task(task, folders=folders, trusted=trusted)
    cases = list(_cases(path))
    evaluation = loaded.scorer.evaluate(
        [prediction for prediction, _ in cases], references=[references for _, references in cases]
    )
    return {"task": loaded.name, "n": len(cases), **evaluation.scores}


def _parser() -> Parser:
    examples = ("dfwe score --task meld cases.jsonl", "dfwe score --task plants --config-dir my_conf cases.jsonl")
    description = "Score predictions of a task; print metrics and score as one JSON object."
    parser = Parser(prog="dfwe score", description=description, examples=examples)
    parser.add_argument("--task", required=True, help="short or long name of the task")
    parser.add_argument("--config-dir", type=Path, action="append", default=[], help="a folder with tasks of your own")
    parser.add_argument("--trust", action="store_true", help="run the classes that its YAML names, whosever they are")
    parser.add_argument(
        "cases",
        type=Path,
        help='JSON lines, {"prediction": "text", "references": ["text", ...]}: alternatives for the two span '
        "tasks, all gold codes for relation extraction, one label otherwise",
    )
    return parser


def _cases(path: Path) -> Iterator[tuple[str, list[str]]]:
    for number, case in read_json_lines(path):
        fields = case if isinstance(case, dict) else {}
        prediction, references = fields.get("prediction"), fields.get("references")
        if not isinstance(prediction, str):
            raise DataError(f"{path}, line {number}: 'prediction' must be a text")
        if not isinstance(references, list) or not all(isinstance(text, str) for text in references):
            raise DataError(f"{path}, line {number}: 'references' must be a list of texts")
        yield prediction, references
