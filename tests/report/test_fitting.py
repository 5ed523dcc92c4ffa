"""Tables fit: at 80 and 60 letters and in pipes nothing is cut, and wide terminals have all side by side."""

import io

import pytest
from rich.box import SIMPLE
from rich.console import Console

from dfwe.report.fitting import FittedTable

NAME = "character_identification"


def table(num_columns, *, name=NAME, **more):
    made = FittedTable(title="Scores of many merges", **more)
    made.add_column("model", no_wrap=True)
    for number in range(num_columns):
        made.add_column(f"coefficient\nin merge_{number}", justify="right", no_wrap=True)
    for row in range(3):
        made.add_row(f"{name}{row}", *(f"+{row}.{number} ± 0.2" for number in range(num_columns)))
    return made


def lines(table, *, width):
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("more", [{}, {"box": SIMPLE, "padding": (0, 0, 0, 1), "show_edge": False}])
@pytest.mark.parametrize("num_columns", [1, 4, 9, 24])
def test_nothing_is_cut_at_any_width(width, more, num_columns):
    shown = lines(table(num_columns, **more), width=width)
    text = "\n".join(shown)
    assert max(map(len, shown)) <= width
    assert "…" not in text
    for number in range(num_columns):
        assert f"merge_{number}" in text
        assert all(f"+{row}.{number} ± 0.2" in text for row in range(3))


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
    made = FittedTable()
    made.add_column("sources", overflow="fold")
    for heading in ("dev", "test", "delta"):
        made.add_column(heading, no_wrap=True)
    made.add_row("emory_emotion, personality, reading_comprehension, question_answering", "50.0", "51.0", "+1.0 ± 2.0")
    shown = lines(made, width=60)
    assert sum("sources" in line for line in shown) == 1
    assert "…" not in "".join(shown)


def test_an_empty_table_and_one_column_are_drawn():
    assert "".join(lines(FittedTable(), width=20)) == ""
    one = FittedTable()
    one.add_column("a")
    assert any("a" in line for line in lines(one, width=20))


def test_parts_below_leave_out_rows_with_nothing_in_them():
    made = FittedTable()
    for heading in ("model", "x" * 50, "y" * 50):
        made.add_column(heading, no_wrap=True)
    made.add_row("first", "1", "")
    made.add_section()
    made.add_row("second", "2", "3")
    shown = lines(made, width=80)
    assert [sum(name in line for line in shown) for name in ("first", "second")] == [1, 2]
