"""Which model to load, and how."""

import pytest

from dfwe.report.html.use import snippets, use
from dfwe.report.run_folder import read_run

BEST = {"name": "a", "kind": "expert", "folder": "best", "dev": 0.52, "test": 0.42, "against": [], "claim": None}


def test_use_names_the_recommended_model_before_the_merge(plain):
    folder = plain(recommended=BEST)
    for name in ("best", "merged"):
        (folder / name).mkdir()
    found = use(read_run(folder))
    assert found.lines[:2] == ["best/ holds a, the model to ship.", "merged/ holds ties, the merge that was asked for."]
    assert 'load("best")' in found.code[0][1]


def test_use_names_existing_folders_only(plain):
    folder = plain(recommended=BEST)
    assert use(read_run(folder)) is None  # export=false
    (folder / "merged").mkdir()
    assert 'load("merged")' in use(read_run(folder)).code[0][1]


def test_use_names_one_model_in_both_folders(plain):
    folder = plain(recommended={**BEST, "name": "ties", "kind": "merge"})
    for name in ("best", "merged"):
        (folder / name).mkdir()
    assert [line.split(",")[0] for line in use(read_run(folder)).lines[:2]] == [
        "best/ holds ties",
        "merged/ holds ties",
    ]


@pytest.mark.parametrize(
    ("questions", "asked"),
    [
        ({}, '.predict(["a text'),
        ({"form": "texts"}, '.predict(["a text'),
        ({"form": "rows", "columns": ["sentence"]}, '.predict(["a text'),
        ({"form": "rows", "columns": ["premise", 'the "other"']}, '.predict([{"premise": "a text'),
        ({"form": "dialogues"}, '.split("\\n")'),
    ],
)
def test_snippets_ask_what_the_task_asks(questions, asked):
    written = snippets("best", questions=questions, auto_class="AutoModelForSeq2SeqLM")
    python, command, transformers = (code for _, code in written)
    assert asked in python
    assert all(compile(text, "snippet", "exec") for text in (python, transformers))
    assert ("# a table with the columns premise" in command) == (len(questions.get("columns", ())) == 2)
    assert ("# a table with the column sentence\n" in command) == (len(questions.get("columns", ())) == 1)


@pytest.mark.parametrize("changes", [{}, {"auto_class": "AutoModelForSequenceClassification"}])
def test_use_loads_with_the_class_of_the_models_family(plain, changes):
    folder = plain(recommended=BEST, **changes)
    (folder / "best").mkdir()
    _, code = use(read_run(folder)).code[-1]
    assert f'{changes.get("auto_class", "AutoModelForSeq2SeqLM")}.from_pretrained("best")' in code


def test_snippets_of_an_encoder_with_heads_leave_out_dfwe():
    assert [name for name, _ in snippets("best", questions={}, auto_class="AutoModel")] == ["With Transformers alone"]
