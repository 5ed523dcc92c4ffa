"""Which of a run's models to load, and how."""

from __future__ import annotations

import shlex

from dfwe.report.names import name_of
from dfwe.report.page.section import Code, Section
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
    return Section("use", "Which model, and how to load it", lines, code=codes(models[0][0]), note=NOTE)


def codes(folder: str) -> list[Code]:
    """Return how to load a model of that folder: with dfwe, at the command line, with Transformers alone."""
    return [
        Code("In Python", _PYTHON.format(folder=folder)),
        Code("At the command line", f"python -m dfwe.predict --model {shlex.quote(folder)} texts.csv"),
        Code("With Transformers alone", _TRANSFORMERS.format(folder=folder)),
    ]


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


_PYTHON = """\
from dfwe.predict import load

model = load("{folder}")
print(model.predict(["a text to ask the model about"]))"""

_TRANSFORMERS = """\
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

model = AutoModelForSeq2SeqLM.from_pretrained("{folder}")
tokenizer = AutoTokenizer.from_pretrained("{folder}")"""
