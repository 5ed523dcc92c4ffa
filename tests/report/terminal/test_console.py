"""What users named is drawn as it stands."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from dfwe.report.terminal import progress, study
from dfwe.report.terminal.console import show_plain, terminal

NAME = "[/old] [bold]x[/bold] :smile: end\\\\"


def drawn(content, monkeypatch):
    out = StringIO()
    monkeypatch.setattr("sys.stdout", out)
    console = terminal()
    console.width = 100
    show_plain(content, console=console)
    return out.getvalue()


def test_texts_are_not_markup(monkeypatch):
    assert drawn(NAME, monkeypatch).strip() == NAME


def test_tables_are_not_markup(monkeypatch):
    cells = Table(title=NAME)
    cells.add_column(NAME)
    cells.add_row(NAME)
    assert drawn(cells, monkeypatch).count(NAME) == 3


@pytest.mark.parametrize("control", ["\x1b[2J", "\x9b2J", "\u202e", "\x07"])
def test_nothing_steers_the_terminal_and_columns_stay(monkeypatch, control):
    cells = Table()
    cells.add_column("name")
    cells.add_row(f"a{control}b")
    lines = drawn(cells, monkeypatch).splitlines()
    assert not any(control[0] in line for line in lines)
    assert len({len(line) for line in lines}) == 1


def test_progress_on_a_terminal_takes_titles_as_they_stand(monkeypatch):
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "terminal", lambda **_: console)
    with progress.bars() as start:
        start(1, 1, "train [/old] \x1b[2J")(0.5)
    assert r"train [/old] \x1b[2J" in out.getvalue()


def test_a_study_with_such_names_is_drawn(monkeypatch):
    out = StringIO()
    monkeypatch.setattr("sys.stdout", out)
    rows = [
        {"name": "baseline", "kind": "baseline", "dev": {"score": 0.5}, "test": {"score": 0.4}},
        {"name": "[/old]", "kind": "expert", "dev": {"score": 0.5}, "test": {"score": 0.4}},
    ]
    results = {"target": "[/t]\x1b[2J", "sources": ["[/s]"], "seed": 0, "n": {"dev": 2}, "models": rows, "headline": {}}
    study.show(results)
    assert all(name in out.getvalue() for name in ("[/t]", "[/s]", "[/old]"))
    assert "\x1b[2J" not in out.getvalue()
