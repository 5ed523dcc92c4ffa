from dfwe.controls import in_one_line, without_controls
from dfwe.errors import StoreError


def test_without_controls_shows_the_code_of_what_steers():
    assert without_controls("a\x1b[31mb\x07\x9b\u202e\u2028\ud800") == r"a\x1b[31mb\x07\x9b\u202e\u2028\ud800"


def test_without_controls_keeps_text():
    text = "Zoë [old]\t“é” 日本 😀\nשלום"
    assert without_controls(text) == text


def test_in_one_line_takes_all_blanks_for_one():
    assert in_one_line("a\n\tb\r\x1b") == r"a b \x1b"


def test_an_error_shows_no_control():
    assert str(StoreError("a\x1b[31mb")) == r"a\x1b[31mb"
