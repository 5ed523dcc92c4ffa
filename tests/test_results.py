"""RESULTS.md: its tables are what `dfwe report` prints of the files below results/."""

from pathlib import Path

import pytest

from dfwe.report.run_folder import read_run
from dfwe.report.study_tables import model_tables
from dfwe.report.sweep.report import read_sweep
from dfwe.report.tables import markdown

ROOT = Path(__file__).parent.parent
RUNS = sorted(path.parent for path in (ROOT / "results").glob("*/*/results.json"))
STUDIES = sorted({path for path in (ROOT / "results").iterdir() if path.is_dir()} - {path.parent for path in RUNS})


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_tables_of_results_are_printed_from_their_files(study):
    page = (ROOT / "RESULTS.md").read_text(encoding="utf8")
    tables = [table for table in read_sweep(study).tables if table.id in ("rows", "studies-0")]
    assert tables
    for table in tables:
        head, lines = table.caption, markdown(table).partition("\n\n")[2].strip()
        assert lines in page, f"run `dfwe report sweep results/{study.name} --format markdown`: {head}"


@pytest.mark.parametrize("run", RUNS, ids=lambda path: path.parent.name)
def test_the_table_of_a_run_is_printed_from_its_file(run):
    table = model_tables(read_run(run).results)[0]
    lines = markdown(table).partition("\n\n")[2].strip()
    where = run.relative_to(ROOT)
    assert lines in (ROOT / "RESULTS.md").read_text(encoding="utf8"), f"run `dfwe report markdown {where}`"
