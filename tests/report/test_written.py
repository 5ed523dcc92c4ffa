"""Settings in words."""

import pytest

from dfwe.report.written import written


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"lowest_share": 0.25, "nan": True}, "lowest share: 0.25, nan: yes"),
        ({"meld": 0.1, "deep": {"a": [1, 2]}}, "meld: 0.1, deep: (a: (1, 2))"),
        ([1, "b"], "1, b"),
        ({}, "none"),
        (None, "none"),
        (1 / 3, "0.333333"),
        ("as it is", "as it is"),
    ],
)
def test_values_are_written_without_braces_or_quotes(value, words):
    assert written(value) == words
