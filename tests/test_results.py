"""RESULTS.md: its tables are what `dfwe report sweep` prints of the files below results/."""

from pathlib import Path

import pytest

from dfwe.report.sweep.report import read_sweep
from dfwe.report.tables import markdown

ROOT = Path(__file__).parent.parent
STUDIES = sorted(path for path in (ROOT / "results").iterdir() if path.is_dir())


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_tables_of_results_are_printed_from_their_files(study):
    page = (ROOT / "RESULTS.md").read_text(encoding="utf8")
    tables = [table for table in read_sweep(study).tables() if table.id in ("rows", "studies-0")]
    assert tables
    for table in tables:
        head, lines = table.caption, markdown(table).partition("\n\n")[2].strip()
        assert lines in page, f"run `dfwe report sweep results/{study.name} --format markdown`: {head}"
