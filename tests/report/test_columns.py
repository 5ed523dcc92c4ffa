"""One registry of columns: each number is shown on the terminal, the page, in W&B and in Markdown."""

import io
import json

import pytest
from rich.console import Console

from dfwe.report import columns
from dfwe.report.columns import COST_COLUMNS, MERGE_COLUMNS, MODEL_COLUMNS, task_score
from dfwe.report.command import main
from dfwe.report.html.page import PageSection, render
from dfwe.report.html.run_page import run_page
from dfwe.report.run_folder import read_run
from dfwe.report.study_results import as_study
from dfwe.report.study_tables import cost_table, merges_table, model_tables
from dfwe.report.tables import MISSING, Cell, Column, difference, markdown, number, score, tabulate, text, values
from dfwe.report.terminal.study import show
from dfwe.report.wandb.publish import merge_runs, table


@pytest.fixture
def study(results):
    """Results in which a merge has every number of the registry."""
    sure = {"delta": 0.125, "delta_interval": [-0.125, 0.375], "delta_standard_error": 0.0625, "p": 0.5}
    mixture = {"dev": 0.5, "test": 0.5, "interval": [0.25, 0.75], **sure}
    against = {role: {"name": "x", **sure} for role in ("equally_trained", "uniform", "best_expert")}
    cost = {"train_steps": 1200, "train_tokens": 34567, "dev_answers": 90, "seconds": 200.0, "bytes": 2_000_000}
    cost |= {"training": 104_000, "models": 1, "times_baseline": 2.5}
    row = {"mixture": mixture, "against": against, "cost": cost, "optimism": 0.034, "median_barrier": 0.01}
    results["models"][2] |= row | sure
    return results | {"n": {"test": 9}}


def headings(of):
    return [column.heading for column in of]


def test_every_registered_column_is_in_the_tables_of_a_study(study):
    found = as_study(study)
    (models,) = model_tables(found)
    assert headings(models.columns)[1:] == headings(MODEL_COLUMNS)
    assert headings(merges_table(found).columns)[1:] == headings(MERGE_COLUMNS)
    assert headings(cost_table(found).columns)[1:] == headings(COST_COLUMNS)


def test_every_registered_number_is_in_w_and_b(study, study_folder):
    numbers = {column.key for column in (*MODEL_COLUMNS, *MERGE_COLUMNS, *COST_COLUMNS) if column.is_numeric}
    assert numbers <= set(table(study)[0])
    *_, run = merge_runs(study, folder=study_folder, described={})
    assert numbers <= set(run.summary)


def test_the_terminal_and_the_page_draw_the_same_tables(study):
    console = Console(file=io.StringIO(), width=300)
    show(study, console=console)
    terminal = console.file.getvalue()
    tables = [*model_tables(as_study(study)), merges_table(as_study(study)), cost_table(as_study(study))]
    page = render("run.html", title="", subtitle="", sections=[PageSection("a", "A", tables=tables)])
    for column in (*MODEL_COLUMNS, *MERGE_COLUMNS, *COST_COLUMNS):
        heading = column.heading.split("\n")[-1]
        assert heading in terminal
        assert heading in page


@pytest.mark.parametrize("registered", ["MODEL_COLUMNS", "MERGE_COLUMNS"])
def test_a_new_column_is_drawn_in_all_four(study, study_folder, monkeypatch, capsys, registered):
    new = Column("learnt", "words\nlearnt", lambda row: number(row.get("learnt")), is_optional=True)
    monkeypatch.setattr(columns, registered, (*getattr(columns, registered), new))
    study["models"][2]["learnt"] = 4242
    (study_folder / "results.json").write_text(json.dumps({"format": 4, **study}))
    console = Console(file=io.StringIO(), width=300)
    show(study, console=console)
    page = run_page(read_run(study_folder), pictures={})
    *_, run = merge_runs(study, folder=study_folder, described={})
    headings_of_table, (*_, cells) = table(study)
    assert main(["markdown", str(study_folder)]) == 0
    markdown_lines = capsys.readouterr().out
    assert "4,242" in console.file.getvalue()
    assert run.summary["learnt"] == dict(zip(headings_of_table, cells, strict=True))["learnt"] == 4242
    for drawing in (page, markdown_lines):
        assert "words learnt" in " ".join(drawing.split())
        assert "4\u202f242" in drawing


def test_markdown_has_a_line_per_row(study):
    lines = markdown(model_tables(as_study(study))[0]).splitlines()
    assert lines[2] == "| model | test | delta | p | dev | cost |"
    assert lines[-1] == "| found (merge) | 62.5 (25.0 to 75.0) | +12.5 (-12.5 to +37.5) | 0.500 | 75.0 | 2.5 |"


def test_an_optional_column_without_values_is_left_out():
    two = [Column("a", "a", lambda row: text(row)), Column("b", "b", lambda row: MISSING, is_optional=True)]
    assert headings(tabulate("x", ["1"], columns=two, caption="").columns) == ["a"]
    assert tabulate("x", [], columns=two, caption="") is None


def test_values_have_the_ends_of_intervals():
    two = [Column("test", "test", lambda row: score(0.5, ends=(0.25, 0.75))), Column("name", "", text)]
    assert values(two, "row") == {"test": 0.5, "test_low": 0.25, "test_high": 0.75}


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (score(None), ("undefined", "", "")),
        (score(0.5, ends=(0.25, 0.75)), ("50.0", "25.0 to 75.0", "(25–75)")),
        (difference({"delta": 0.02, "delta_standard_error": 0.01}), ("+2.0", "± 1.0", "± 1.0")),
        (difference({"delta": -0.0}), ("+0.0", "", "")),
        (number(1234567), ("1\u202f234\u202f567", "", "")),
    ],
)
def test_numbers_are_written_for_people(cell, shown):
    assert (cell.text, cell.small, cell.brief) == shown


def test_a_difference_that_is_unknown_is_missing():
    assert difference({}) == MISSING == Cell("–")


def test_task_score_without_intervals_has_its_score():
    column = task_score("SST", split="dev")
    assert column.cell({"dev": {"score": 0.5, "tasks": {"SST": 0.5}}}) == score(0.5)
    assert column.cell({}) == MISSING
