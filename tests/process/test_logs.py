import logging

import pytest

from dfwe.process.logs import Once, about


@pytest.fixture
def log():
    """A logger of dfwe's with a handler as the configuration makes them, and the lines that come out."""
    lines, logger = [], logging.getLogger("dfwe.tests.logs")
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    handler.addFilter(Once())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger, lines
    logger.removeHandler(handler)


def test_a_line_comes_once(log):
    logger, lines = log
    for number in (1, 2, 1):
        logger.info("no control %s: it has %d experts", "ensemble", number)
    assert lines == ["no control ensemble: it has 1 experts", "no control ensemble: it has 2 experts"]


def test_a_line_names_its_subject_once(log):
    logger, lines = log
    with about("nelder_mead"):
        logger.warning("the search stopped")
        logger.warning("nelder_mead is the best expert")
    with about("ties"):
        logger.warning("the search stopped")
    logger.warning("100 %")
    assert lines == [
        "nelder_mead: the search stopped",
        "nelder_mead is the best expert",
        "ties: the search stopped",
        "100 %",
    ]


def test_no_line_steers_the_terminal(log):
    logger, lines = log
    with about("a\x1b[2J"):
        logger.warning("b\n%s", "\x9bc\u202e")
    assert lines == [r"a\x1b[2J: b \x9bc\u202e"]


def test_lines_of_others_come_as_often_as_they_are_written():
    found, record = Once(), logging.LogRecord("other", logging.INFO, "", 0, "%s\nb", ("a\x07",), None)
    assert (found.filter(record), found.filter(record), record.getMessage()) == (True, True, "a\\x07\nb")
