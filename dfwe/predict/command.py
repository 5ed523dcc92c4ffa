"""Answer the questions of a file: `dfwe predict --model outputs/.../merged questions.csv`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dfwe.errors import DataError
from dfwe.predict.files import FORMS, STDIN, form_of, read_items, write_predictions
from dfwe.predict.predictor import load
from dfwe.process.arguments import Parser
from dfwe.process.exit import exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Write an answer for each question; return the exit code, 2 for a user error."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return exit_code(lambda: _predict(arguments))


def _predict(arguments: argparse.Namespace) -> None:
    from dfwe.io.files import write_text

    predictor = load(arguments.model, task=arguments.task, trust=arguments.trust)
    if arguments.probabilities:
        predictor.check_probabilities()
    inputs, form = read_items(
        arguments.questions,
        form=arguments.format,
        columns=predictor.columns,
        encoding=arguments.encoding,
        quoting=predictor.quoting,
    )
    if not inputs:
        raise DataError(f"{arguments.questions} holds no questions")
    answers = predictor.answers_to(inputs)
    wanted = form_of(arguments.out or "", given="jsonl" if arguments.json else None) or form
    if wanted == "txt" and arguments.probabilities:
        raise DataError("lines of text have no room for probabilities: add --json, or --out with a .csv or .jsonl file")
    text = write_predictions(answers, form=wanted, probabilities=arguments.probabilities)
    if arguments.out:
        write_text(Path(arguments.out), text, through=True)
    else:
        _check_encoding(text)
        sys.stdout.write(text)


def _check_encoding(text: str) -> None:
    """Refuse an output that cannot hold the answers, for a command prints question marks there."""
    encoding = sys.stdout.encoding or "utf8"  # of a test's output there is none
    try:
        text.encode(encoding, errors="strict")
    except UnicodeEncodeError as error:
        letter = text[error.start]
        raise DataError(
            f"the output's encoding {encoding} has no '{letter}': set PYTHONIOENCODING=utf8, or name a file with --out"
        ) from None


def _parser() -> Parser:
    examples = (
        "dfwe predict --model outputs/RUN/best questions.csv",
        "printf 'text\\nA warm kettle.\\n' | dfwe predict --model outputs/RUN/best --probabilities --json",
    )
    parser = Parser(prog="dfwe predict", description="Answer questions with a model of a study.", examples=examples)
    parser.add_argument("--model", type=Path, required=True, help="the folder merged/ or best/ of a run")
    parser.add_argument(
        "questions",
        nargs="?",
        default=STDIN,
        help="CSV or TSV with a header, JSON lines (rows, or dialogues in the TLiDB format), or lines of text; - or "
        "nothing: the standard input",
    )
    parser.add_argument("--task", help="short or long name of a task; else the one that the folder is for")
    parser.add_argument("--probabilities", action="store_true", help="of each of the closed set of answers, too")
    parser.add_argument("--format", choices=FORMS, help="of the questions; else by the file's name and beginning")
    parser.add_argument("--encoding", default="utf-8", help="of tables and lines; utf-8")
    parser.add_argument("--out", metavar="FILE", help="where answers go, in the form its name says; else printed")
    parser.add_argument("--json", action="store_true", help="answers as JSON lines, whatever the questions' form")
    parser.add_argument("--trust", action="store_true", help="run the classes that the folder names, whosever they are")
    return parser
