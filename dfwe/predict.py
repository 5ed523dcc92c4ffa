"""Answers for new dialogues: `python -m dfwe.predict --model <merged folder> --task meld dialogues.jsonl`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dfwe.data.prompts.template import Template, row_dialogue
from dfwe.data.readers.dialogue import checked_dialogue
from dfwe.data.readers.json_lines import JsonLines
from dfwe.errors import DataError, ModelError
from dfwe.process import as_process, exit_code
from dfwe.records import Instance
from dfwe.strict_json import read_json_lines, read_json_object


def main(argv: Sequence[str] | None = None) -> int:
    """Prints one JSON line per question; returns the exit code, 2 for an error of the user's."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    return exit_code(lambda: _print_answers(arguments))


def _print_answers(arguments: argparse.Namespace) -> None:
    for line in answers(arguments.model, task=arguments.task, file=arguments.dialogues, trust=arguments.trust):
        print(json.dumps(line, ensure_ascii=False))


def answers(model: Path, *, task: str, file: Path, trust: bool = False) -> Iterator[dict[str, str]]:
    """The model's answers, in the order of the file; unless `trust`, by classes of dfwe alone.

    Raises:
        DfweError: a folder that holds no merged model, an unknown task, a broken line, nothing to ask, or a
            class from elsewhere.
    """
    from transformers.utils import logging as transformers_logging

    from dfwe.data.tokenise import TokenLimits, tokenise
    from dfwe.evaluation.answers import Decoding
    from dfwe.evaluation.generate import ReferenceDecoding
    from dfwe.evaluation.score import SplitScorer
    from dfwe.models.loading import load_tokenizer
    from dfwe.models.text_to_text import load_model
    from dfwe.stages.tasks import foreign_task, load_task

    transformers_logging.disable_progress_bar()
    asking = _asking(model)
    where = f"{model / 'dfwe.json'}, `tasks`"
    tasks = {
        short: foreign_task(short, config=config, where=f"{where}, `{short}`", trusted=trust)
        for short, config in asking["tasks"].items()
    }
    loaded = tasks.get(task) or load_task(task)
    prompt = dataclasses.replace(loaded.prompt, unlabelled=True)
    dialogues = _rows(file) if isinstance(prompt, Template) else _dialogues(file)
    instances = [
        instance
        for dialogue in dialogues
        for instance in prompt.instances(dialogue, max_words=asking["max_words"], seed=0)
    ]
    if not instances:
        raise DataError(f"{file} asks nothing of {loaded.name}: README shows what a dialogue must hold for it")
    tokenizer = load_tokenizer(model)
    limits = TokenLimits(asking["max_source_tokens"], asking["max_target_tokens"], asking["truncation"])
    with tempfile.TemporaryDirectory() as cache:
        split = tokenise(instances, tokenizer=tokenizer, limits=limits, cache=Path(cache))
        decode = loaded.decode if asking["decode"] == "task" else asking["decode"]
        reference = ReferenceDecoding(**asking["reference"]) if decode == "reference" else None
        decoding = Decoding(
            decode=decode,  # type: ignore[arg-type]
            max_new_tokens=loaded.max_new_tokens,
            max_tokens=1024,
            text_tokens=16384,
            bf16=False,
            reference=reference,
        )
        scorer = SplitScorer(split, scorer=loaded.scorer, decoding=decoding, tokenizer=tokenizer)
        yield from _lines(instances, scorer.predict(load_model(model)))


def _lines(instances: Sequence[Instance], predictions: Sequence[str]) -> Iterator[dict[str, str]]:
    for instance, prediction in zip(instances, predictions, strict=True):
        yield {"instance_id": instance.instance_id, "prediction": prediction}


def _asking(model: Path) -> Mapping[str, Any]:
    """How the merged model was asked while it was made."""
    path = model / "dfwe.json"
    if not path.is_file():
        raise ModelError(f"{model} is not a merged model: it holds no dfwe.json; name the folder merged/ of a run")
    asking = read_json_object(path, error=ModelError)
    if asking.get("decode") == "reference" and not asking.get("reference"):
        raise ModelError(
            f"{path} does not say the numbers of decode=reference: an earlier dfwe wrote it; run its study's command "
            "again, it trains nothing twice"
        )
    return asking


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    """Rows of a table: objects whose keys are the columns; `id` names a row, else its line does."""
    sheet = JsonLines(path=str(file.resolve()), encoding="utf8", rename={}).sheet(Path())
    if sheet.read.bad:
        raise DataError(f"{file} must hold one JSON object a line: {sheet.read.summary()}")
    for row in sheet.rows:
        name = row.cells.get("id") or f"{sheet.stem}-{row.line}"
        yield row_dialogue(row.cells, row_id=str(name), path=str(file), line=row.line)


def _dialogues(file: Path) -> Iterator[Mapping[str, Any]]:
    for number, dialogue in read_json_lines(file):
        yield checked_dialogue(dialogue, where=f"{file}, line {number}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dfwe.predict", description="Answer questions on new dialogues.")
    parser.add_argument("--model", type=Path, required=True, help="the folder merged/ of a run")
    parser.add_argument("--trust", action="store_true", help="run the classes that its dfwe.json names, whosever")
    parser.add_argument("--task", required=True, help="short or long name of the task")
    parser.add_argument(
        "dialogues",
        type=Path,
        help="JSON lines, a dialogue in the TLiDB format each (or a row's columns), labels left out",
    )
    return parser


if __name__ == "__main__":
    as_process(main)
