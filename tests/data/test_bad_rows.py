import pytest

from dfwe.data.bad_rows import Rows, bad_row, check
from dfwe.errors import DataError


def many():
    rows = [bad_row("a.csv", line=line, reason="it is empty", remedy="Set `leave_out`") for line in (2, 3, 4)]
    rows += [
        bad_row("a.csv", line=line, reason=f"unknown label '{line % 2}'", remedy="Set `texts`") for line in (7, 8, 9)
    ]
    rows += [bad_row("b.csv", line=line, reason=f"kind {line}") for line in (1, 2)]
    return tuple(rows)


def test_summary_has_three_kinds_the_path_once_and_the_keys():
    assert Rows(40, many()).summary() == (
        "8 of 40 rows left out: a.csv, lines 2 to 4: it is empty; line 7 and 1 more: unknown label '1'; "
        "line 8: unknown label '0'; and 2 more. Set `leave_out`. Set `texts`"
    )


def test_remarks_are_of_odd_rows_alone():
    rows = Rows(3) + Rows(1, odd=(bad_row("b.csv", line=1, reason="it is long"),))
    assert (rows.summary(), rows.remarks()) == ("", "1 of 4 rows are odd: b.csv, line 1: it is long")


def test_check_stops_above_the_share_in_one_line():
    check(Rows(40, many()), max_share=0.2, what="mood", setting="data.max_bad_share")
    with pytest.raises(
        DataError, match=r"^mood: more than 19\.00% of the rows are broken \(data.max_bad_share\): 8 of"
    ):
        check(Rows(40, many()), max_share=0.19, what="mood", setting="data.max_bad_share")


def test_odd_rows_stop_nothing():
    check(Rows(1, odd=many()), max_share=0.0, what="mood", setting="data.max_bad_share")
