import pytest

from dfwe.data.readers.base import RowIssue, RowReport
from dfwe.errors import DataError


def many():
    rows = [RowIssue("a.csv", line, "it is empty", "Set `exclude`") for line in (2, 3, 4)]
    rows += [RowIssue("a.csv", line, f"unknown label '{line % 2}'", "Set `texts`") for line in (7, 8, 9)]
    rows += [RowIssue("b.csv", line, f"kind {line}") for line in (1, 2)]
    return tuple(rows)


def test_warnings_have_three_kinds_and_remedies():
    assert RowReport(40, many()).warnings() == [
        "8 of 40 rows left out: a.csv, lines 2 to 4: it is empty; line 7 and 1 more: unknown label '1'; "
        "line 8: unknown label '0'; and 2 more. Set `exclude`. Set `texts`"
    ]


def test_warnings_of_suspicious_rows_only():
    rows = RowReport(3) + RowReport(1, suspicious=(RowIssue("b.csv", 1, "it is long"),))
    assert rows.warnings() == ["1 of 4 rows are odd: b.csv, line 1: it is long"]


def test_check_above_max_fraction_raises_one_line():
    RowReport(40, many()).check(max_fraction=0.2, name="mood", setting="data.max_invalid_fraction")
    with pytest.raises(
        DataError, match=r"^mood: more than 19\.00% of the rows are broken \(data.max_invalid_fraction\): 8 of"
    ):
        RowReport(40, many()).check(max_fraction=0.19, name="mood", setting="data.max_invalid_fraction")


def test_check_ignores_suspicious_rows():
    RowReport(1, suspicious=many()).check(max_fraction=0.0, name="mood", setting="data.max_invalid_fraction")
