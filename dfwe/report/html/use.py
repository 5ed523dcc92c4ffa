"""Write which of a run's models to load, and how."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dfwe.report.html.page import PageSection
from dfwe.report.names import name_of
from dfwe.report.run_folder import Run

_MERGED = "merged"
_CLASSIFIER = "AutoModelForSequenceClassification"
_ENCODER = "AutoModel"  # of models with a head per task, which `dfwe.predict` does not ask
_TEXT = "a text to ask the model about"
_COLUMN = re.compile(r"\{[^{}]+\}")
_FILES = {"texts": "texts.csv", "rows": "rows.csv", "dialogues": "dialogues.jsonl"}
_PYTHON = """\
from dfwe.predict import load

model = load("{folder}")
print(model.predict({inputs}))"""
_DIALOGUES = """\
import json
from pathlib import Path

from dfwe.predict import load

lines = Path("dialogues.jsonl").read_text(encoding="utf8").strip().split("\\n")
model = load("{folder}")
print(model.predict([json.loads(line) for line in lines]))"""
_TRANSFORMERS = """\
from transformers import {auto_class}, AutoTokenizer

model = {auto_class}.from_pretrained("{folder}")
tokenizer = AutoTokenizer.from_pretrained("{folder}")
inputs = tokenizer({text}, truncation=True, return_tensors="pt"{options})
{answer}"""
_ANSWERS = {
    "AutoModelForSeq2SeqLM": """\
tokens = model.generate(**inputs, max_new_tokens=20)[0]
print(tokenizer.decode(tokens, skip_special_tokens=True))""",
    "AutoModelForCausalLM": """\
tokens = model.generate(**inputs, max_new_tokens=20)[0, inputs["input_ids"].shape[1] :]
print(tokenizer.decode(tokens, skip_special_tokens=True))""",
    _CLASSIFIER: """\
scores = model(**inputs).logits[0]
print(model.config.id2label[int(scores.argmax())] if len(scores) > 1 else float(scores))""",
    _ENCODER: "print(model(**inputs).last_hidden_state.shape)",
}


def use(run: Run) -> PageSection | None:
    """Return the section on exported models; None where there is no folder of one.

    The code names folders beside the page, so that it stays right where the run's folder is moved.
    """
    models = list(_exported(run))
    if not models:
        return None
    lines = [f"{folder}/ holds {name}." for folder, name in models]
    lines.append("Run the code in the folder of this page, or put that folder before the name.")
    raw = run.results.raw
    code = snippets(models[0][0], questions=raw.get("questions") or {}, auto_class=raw["auto_class"])
    note = "Exported folders, and the code that runs the models there."
    return PageSection("use", "Which model, and how to load it", lines, code=code, note=note)


def snippets(
    folder: str, *, questions: Mapping[str, Any], auto_class: str, template: str = "{text}"
) -> list[tuple[str, str]]:
    """Return how to load a model of that folder: with dfwe, at the command line, with Transformers alone.

    `questions` are results' own: the code asks what the task asks. `auto_class` is Transformers' class that loads it,
    `template` what it is asked there, with columns in braces.
    """
    form, columns = questions.get("form", "texts"), questions.get("columns", ())
    file = f"a table with the column{'' if len(columns) == 1 else 's'} {', '.join(columns)}"
    if form == "texts":
        file = "a table with the columns utterance, speaker, dialogue_id"
    if form == "dialogues":
        file = "a dialogue in the TLiDB format on each line"
    command = f"# {file}\ndfwe predict --model {folder} {_FILES[form]}"
    inputs: Any = [_TEXT] if form == "texts" or len(columns) == 1 else [dict.fromkeys(columns, _TEXT)]
    python = _PYTHON.format(folder=folder, inputs=json.dumps(inputs, ensure_ascii=False))
    is_pair = auto_class == _CLASSIFIER and form == "rows" and len(columns) == 2
    texts = [_TEXT] * 2 if is_pair else [_COLUMN.sub(_TEXT, template)]
    transformers = ("With Transformers alone", _transformers(folder, auto_class=auto_class, texts=texts))
    if auto_class == _ENCODER:
        return [transformers]
    return [
        ("In Python", _DIALOGUES.format(folder=folder) if form == "dialogues" else python),
        ("At the command line", command),
        transformers,
    ]


def _transformers(folder: str, *, auto_class: str, texts: Sequence[str]) -> str:
    text = ", ".join(json.dumps(text, ensure_ascii=False) for text in texts)
    options = "" if auto_class == _CLASSIFIER else ", return_token_type_ids=False"  # which `generate` refuses
    answer = _ANSWERS.get(auto_class, "print(model(**inputs))")
    return _TRANSFORMERS.format(folder=folder, auto_class=auto_class, text=text, options=options, answer=answer)


def _exported(run: Run) -> Iterator[tuple[str, str]]:
    """Yield folders that exist with what is in each, the one to ship first."""
    results = run.results
    best = results.recommended.get("folder")
    for folder, name in {best: results.recommended.get("name"), _MERGED: results.headline_merge}.items():
        row = results.row(name)
        if folder and row is not None and (run.path / folder).is_dir():
            role = "the model to ship" if folder == best else "the merge that was asked for"
            yield folder, f"{name_of(row)}, {role}"
