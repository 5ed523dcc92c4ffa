"""Which of a run's models to load, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dfwe.report.html.section import Code, Section
from dfwe.report.names import name_of
from dfwe.report.run_folder import Run

MERGED = "merged"
NOTE = "Exported folders, and the code that asks the models there."


def use(run: Run) -> Section | None:
    """Return the part on exported models; None where there is no folder of one.

    The code names folders beside the page, so that it stays right where the run's folder is moved.
    """
    models = list(_exported(run))
    if not models:
        return None
    lines = [f"{folder}/ holds {name}." for folder, name in models]
    lines.append("Run the code in the folder of this page, or put that folder before the name.")
    return Section(
        "use",
        "Which model, and how to load it",
        lines,
        code=codes(models[0][0], questions=run.results.get("questions") or {}),
        note=NOTE,
    )


def codes(folder: str, *, questions: Mapping[str, Any]) -> list[Code]:
    """Return how to load a model of that folder: with dfwe, at the command line, with Transformers alone.

    `questions` are results' own: the code asks what the task asks.
    """
    form = questions.get("form", "texts")
    lines = [f"# {_file_words(questions)}", f"python -m dfwe.predict --model {folder} {_FILES[form]}"]
    return [
        Code("In Python", _python(folder, questions=questions)),
        Code("At the command line", "\n".join(lines)),
        Code("With Transformers alone", _TRANSFORMERS.format(folder=folder)),
    ]


def _file_words(questions: Mapping[str, Any]) -> str:
    """What the file holds that the command reads."""
    form = questions.get("form", "texts")
    if form == "dialogues":
        return "a dialogue in the TLiDB format on each line"
    columns = ["utterance", "speaker", "dialogue_id"] if form == "texts" else questions["columns"]
    return f"a table with the columns {', '.join(columns)}"


def _python(folder: str, *, questions: Mapping[str, Any]) -> str:
    form, columns = questions.get("form", "texts"), questions.get("columns", ())
    if form == "dialogues":
        return _DIALOGUES.format(folder=folder)
    asked: Any = [_TEXT] if form == "texts" or len(columns) == 1 else [dict.fromkeys(columns, _TEXT)]
    return _PYTHON.format(folder=folder, asked=json.dumps(asked, ensure_ascii=False))


def _exported(run: Run) -> list[tuple[str, str]]:
    """Folders that are there with what is in each, the one to ship first."""
    best = run.results.get("recommended") or {}
    named = {best.get("folder"): best.get("name"), MERGED: run.asked}
    found = [(folder, run.row(name)) for folder, name in named.items() if folder and (run.path / folder).is_dir()]
    ship = best.get("folder")
    return [
        (folder, f"{name_of(row)}, {'the model to ship' if folder == ship else 'the merge that was asked for'}")
        for folder, row in found
        if row is not None
    ]


_TEXT = "a text to ask the model about"
_FILES = {"texts": "texts.csv", "rows": "rows.csv", "dialogues": "dialogues.jsonl"}
_PYTHON = """\
from dfwe.predict import load

model = load("{folder}")
print(model.predict({asked}))"""

_DIALOGUES = """\
import json
from pathlib import Path

from dfwe.predict import load

lines = Path("dialogues.jsonl").read_text(encoding="utf8").strip().split("\\n")
model = load("{folder}")
print(model.predict([json.loads(line) for line in lines]))"""

_TRANSFORMERS = """\
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

model = AutoModelForSeq2SeqLM.from_pretrained("{folder}")
tokenizer = AutoTokenizer.from_pretrained("{folder}")"""
