"""Draw what was checked before a merge: a row per finding, refusals first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dfwe.report.tables import MISSING, Column, tabulate, text
from dfwe.report.terminal.console import FittedTable

_ORDER = ("refusal", "warning", "unchecked", "ok")
_COLUMNS = (
    Column("level", "", lambda finding: text(finding["level"]), is_numeric=False),
    Column("check", "check", lambda finding: text(finding["check"]), is_numeric=False),
    Column("finding", "finding", lambda finding: text(finding["text"]), is_numeric=False),
    Column(
        "remedy",
        "what to do",
        lambda finding: text(finding["remedy"]) if finding["remedy"] else MISSING,
        is_numeric=False,
        is_optional=True,
    ),
)


def draw_preflight(findings: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return the table of findings, each with its `check`, `level`, `text` and `remedy`, and their numbers."""
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding["level"]))
    table = tabulate(
        "preflight", ordered, columns=_COLUMNS, caption="Preflight", group=lambda finding: str(finding["level"])
    )
    counts = Counter(str(finding["level"]) for finding in findings)
    words = ", ".join(_num(counts[level], level) for level in _ORDER if level != "unchecked" or counts[level])
    return Group(*([FittedTable(table)] if table else []), Text(words))


def _num(count: int, level: str) -> str:
    return f"{count} {level}" if count == 1 or level in ("unchecked", "ok") else f"{count} {level}s"
