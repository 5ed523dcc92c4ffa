"""Tables fit: at 80 and 60 letters and in pipes nothing is cut, and wide terminals have all side by side."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from dfwe.report.tables import Cell, Column, ReportTable, TableRow, text
from dfwe.report.terminal import console
from dfwe.report.terminal.console import FittedTable
from dfwe.report.terminal.study import draw

NAME = "character_identification"


def fitted(headings, rows, *, folded=("sources", "run"), title=""):
    """A table of columns that hold numbers but for those that may be folded; a row of None sets groups apart."""
    columns = [Column(heading, heading, text, is_numeric=heading not in folded) for heading in headings]
    groups = [sum(row is None for row in rows[:place]) for place in range(len(rows))]
    made = [
        TableRow([Cell(cell) for cell in row], group=str(group))
        for row, group in zip(rows, groups, strict=True)
        if row is not None
    ]
    return FittedTable(ReportTable("x", title, columns, made))


def table(num_columns, *, name=NAME):
    headings = ["model", *(f"coefficient\nin merge_{number}" for number in range(num_columns))]
    rows = [[f"{name}{row}", *(f"+{row}.{number} ± 0.2" for number in range(num_columns))] for row in range(3)]
    return fitted(headings, rows, title="Scores of many merges")


@pytest.fixture
def results():
    """Results of experts with long names and three merges of them."""
    experts = [f"a_task_with_quite_a_long_name_{number}" for number in range(6)]
    scores = iter(range(1, 100))

    def row(name, kind, **more):
        dev, test = ({"score": next(scores) / 128} for _ in range(2))
        return {"name": name, "kind": kind, "dev": dev, "test": test | {"interval": [0.1, 0.2]}, **more}

    told = {"delta": 0.01, "delta_standard_error": 0.02, "delta_interval": [-0.1, 0.1], "p": 0.5, "p_by": "bootstrap"}
    found = {"coefficients": dict.fromkeys(experts, 0.125), "selection": "argmax", "evaluations": 9, "seconds": 1.0}
    merge = told | found
    models = [row("baseline", "baseline"), *(row(name, "expert") for name in experts)]
    models += [row(name, "merge", **merge) for name in ("uniform", "breadcrumbs_ties", "dare_linear", "nelder_mead")]
    head = {"name": "nelder_mead", "test": 0.5, "dev": 0.5} | told
    n = {"train": 1, "dev": 2, "test": 3}
    return {"target": "t", "sources": experts, "seed": 0, "n": n, "models": models, "headline": head}


def lines(table, *, width):
    screen = Console(width=width, file=io.StringIO(), record=True)
    screen.print(table)
    return screen.export_text().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("num_columns", [1, 4, 9, 24])
def test_nothing_is_cut_at_any_width(width, num_columns):
    shown = lines(table(num_columns), width=width)
    words = "\n".join(shown)
    assert max(map(len, shown)) <= width
    assert "…" not in words
    for number in range(num_columns):
        assert f"merge_{number}" in words
        assert all(f"+{row}.{number} ± 0.2" in words for row in range(3))


def test_each_part_begins_with_the_rows_names():
    shown = lines(table(9), width=80)
    parts = sum("model" in line for line in shown)
    assert parts > 1
    assert sum(f"{NAME}0" in line for line in shown) == parts
    assert sum("Scores of many merges" in line for line in shown) == 1


def test_a_wide_terminal_has_all_side_by_side():
    shown = lines(table(9), width=300)
    assert sum("model" in line for line in shown) == 1


def test_a_name_without_end_is_folded_not_cut():
    shown = lines(table(2, name="x" * 90), width=60)
    assert max(map(len, shown)) <= 60
    assert "".join(shown).count("x") >= 3 * 90
    assert "…" not in "".join(shown)


def test_a_column_that_may_wrap_wraps_before_the_table_is_split():
    sources = "emory_emotion, personality, reading_comprehension, question_answering"
    made = fitted(["sources", "dev", "test", "delta"], [[sources, "50.0", "51.0", "+1.0 ± 2.0"]])
    shown = lines(made, width=60)
    assert sum("sources" in line for line in shown) == 1
    assert "…" not in "".join(shown)


def test_a_table_of_one_column_is_drawn():
    assert any("a" in line for line in lines(fitted(["a"], [["1"]]), width=20))


def test_parts_below_leave_out_rows_with_nothing_in_them():
    made = fitted(["model", "x" * 50, "y" * 50], [["first", "1", ""], None, ["second", "2", "3"]])
    shown = lines(made, width=80)
    assert [sum(name in line for line in shown) for name in ("first", "second")] == [1, 2]


def test_every_table_of_the_package_fits():
    package = Path(console.__file__).parents[1]
    drawing = [path.name for path in package.rglob("*.py") if "from rich.table import Table" in path.read_text("utf8")]
    assert drawing == ["console.py"]


@pytest.mark.parametrize("width", [60, 80])
def test_a_study_of_many_merges_and_long_names_fits(width, results):
    shown = lines(draw(results), width=width)
    assert max(map(len, shown)) <= width
    assert "…" not in "".join(shown)
    assert all(f"{100 * number / 128:.1f}" in "".join(shown) for number in range(1, 23))


def test_a_heading_without_end_is_folded_not_cut():
    shown = "".join(lines(fitted(["model", "y" * 90], [["x" * 90, "1.0"]]), width=60))
    assert (shown.count("x"), shown.count("y"), "…" in shown) == (90, 90, False)


def test_a_path_is_folded_before_the_table_is_split():
    run = "multirun/2026-11-28/20-43-39/seed-1_merge-nelder_mead"
    made = fitted(["when", "run", "test"], [["2026-01-01 00:00", run, "50.0"]])
    shown = lines(made, width=60)
    assert "50.0" in next(line for line in shown if "2026-01-01 00:00" in line)
    assert sum("when" in line for line in shown) == 1
