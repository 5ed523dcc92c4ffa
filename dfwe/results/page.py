"""The page at a study's end."""

from __future__ import annotations

from pathlib import Path


def write_report(folder: Path) -> None:
    """Write `report.html` and `pictures/` into the run's folder, from the files that lie there."""
    from dfwe.report.html.run_page import write_run_page  # matplotlib: a second, which the study's start should not pay

    print(f"report: {write_run_page(folder)}")
