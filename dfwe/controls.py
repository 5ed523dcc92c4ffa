"""Characters that steer a terminal, or turn its text round: never shown as they are."""

from __future__ import annotations

import re

# C0 without tab and line end, DEL and C1, marks and overrides of direction, ends of lines and paragraphs, surrogates
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def without_controls(text: object) -> str:
    """Return the text, each such character as its code (`\\x1b`), which steers nothing."""
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], str(text))


def in_one_line(text: object) -> str:
    """Return the text without such characters, and with single blanks for tabs and line ends."""
    return without_controls(" ".join(str(text).split()))
