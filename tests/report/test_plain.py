"""What users named is drawn as it stands."""

from io import StringIO

import pytest
from rich.table import Table

from dfwe.report.plain import show_plain, terminal

NAME = "[/old] [bold]x[/bold] :smile: end\\\\"


def drawn(content, monkeypatch):
    out = StringIO()
    monkeypatch.setattr("sys.stdout", out)
    console = terminal()
    console.width = 100
    show_plain(content, console=console)
    return out.getvalue()


def test_texts_are_no_markup(monkeypatch):
    assert drawn(NAME, monkeypatch).strip() == NAME


def test_titles_headings_and_cells_are_no_markup(monkeypatch):
    table = Table(title=NAME)
    table.add_column(NAME)
    table.add_row(NAME)
    assert drawn(table, monkeypatch).count(NAME) == 3


@pytest.mark.parametrize("control", ["\x1b[2J", "\x9b2J", "\u202e", "\x07"])
def test_nothing_steers_the_terminal_and_columns_stay(monkeypatch, control):
    table = Table()
    table.add_column("name")
    table.add_row(f"a{control}b")
    lines = drawn(table, monkeypatch).splitlines()
    assert not any(control[0] in line for line in lines)
    assert len({len(line) for line in lines}) == 1
