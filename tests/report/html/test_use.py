"""Which model to load, and how."""

import pytest

from dfwe.report.html.use import codes, use
from dfwe.report.run_folder import read_run

BEST = {"name": "a", "kind": "expert", "folder": "best", "dev": 0.52, "test": 0.42, "against": [], "claim": None}


def test_the_model_to_ship_comes_before_the_merge_that_was_asked_for(plain):
    folder = plain(format=3, recommended=BEST)
    for name in ("best", "merged"):
        (folder / name).mkdir()
    found = use(read_run(folder))
    assert found.lines[:2] == ["best/ holds a, the model to ship.", "merged/ holds ties, the merge that was asked for."]
    assert 'load("best")' in found.code[0].text


def test_folders_that_are_not_there_are_not_named(plain):
    folder = plain(format=3, recommended=BEST)
    assert use(read_run(folder)) is None  # export=false
    (folder / "merged").mkdir()
    assert 'load("merged")' in use(read_run(folder)).code[0].text


def test_one_model_in_both_folders_is_named_in_both(plain):
    folder = plain(format=3, recommended={**BEST, "name": "ties", "kind": "merge"})
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
def test_the_code_asks_what_the_task_asks(questions, asked):
    python, command, transformers = (piece.text for piece in codes("best", questions=questions))
    assert asked in python
    assert all(compile(text, "snippet", "exec") for text in (python, transformers))
    assert ("# a table with the columns premise" in command) == (len(questions.get("columns", ())) == 2)
