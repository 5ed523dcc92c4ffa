"""The three forms of answer."""

import pytest

from dfwe.data.prompts.answers import ClassLabel, FreeText, Gold, Number
from dfwe.data.readers.base import RowError
from dfwe.errors import ConfigurationError

FIFTHS = Number(column="n", low=0.0, high=5.0, step=0.2, decimals=1)


def test_cells_may_be_labels_themselves():
    assert ClassLabel(column="c", labels=("a", "b"), texts={}).gold({"c": " a "}) == Gold(("a",), ("a",))


def test_a_text_that_is_no_label_is_an_error():
    with pytest.raises(ConfigurationError, match="makes 'c' of '1', which is none of the labels a, b"):
        ClassLabel(column="c", labels=("a", "b"), texts={"1": "c"})


@pytest.mark.parametrize(
    ("cells", "separator", "expected"),
    [
        ({"x": "a cup", "y": "cup"}, None, ("a cup", "cup")),
        ({"x": "a cup", "y": ""}, None, ("a cup",)),
        ({"x": "a cup | cup|", "y": "tea"}, "|", ("a cup", "cup", "tea")),
        ({"x": ("a cup", "cup"), "y": ""}, None, ("a cup", "cup")),
    ],
)
def test_free_text_has_alternatives(cells, separator, expected):
    assert FreeText(texts=("x", "y"), separator=separator).gold(cells) == Gold(expected, expected)


def test_free_text_must_be_there():
    with pytest.raises(RowError, match="its answer .x, y. is empty"):
        FreeText(texts=("x", "y"), separator="|").gold({"x": "", "y": " | "})


@pytest.mark.parametrize(
    ("cell", "text"), [("0.0", "0.0"), ("5", "5.0"), ("2.5", "2.4"), ("2.51", "2.6"), ("3.333", "3.4"), ("0.09", "0.0")]
)
def test_number_is_learnt_as_its_nearest_step(cell, text):
    assert FIFTHS.gold({"n": cell}) == Gold((text,), (cell,))


@pytest.mark.parametrize(("cell", "text"), [("5.0000000000000009", "5.0"), ("-1e-17", "0.0")])
def test_a_rounding_error_does_not_leave_the_scale(cell, text):
    assert FIFTHS.gold({"n": cell}).targets == (text,)


def test_the_steps_are_the_candidates():
    assert len(FIFTHS.candidates) == 26
    assert (FIFTHS.candidates[0], FIFTHS.candidates[-1]) == ("0.0", "5.0")
    assert Number(column="n", low=1.0, high=4.0, step=1.0, decimals=0).candidates == ("1", "2", "3", "4")


@pytest.mark.parametrize("cell", ["5.1", "-0.1", "much", "nan", "inf"])
def test_what_is_no_number_of_the_scale_is_refused(cell):
    with pytest.raises(RowError, match="is not a number from 0 to 5"):
        FIFTHS.gold({"n": cell})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step": 0.0}, "step above 0"),
        ({"high": 0.0}, "low < high"),
        ({"decimals": 0}, "look the same with 0 decimals"),
    ],
)
def test_a_scale_that_cannot_be_is_an_error(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        Number(**({"column": "n", "low": 0.0, "high": 5.0, "step": 0.2, "decimals": 1} | settings))
