"""Scores as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

UNDEFINED = "undefined"
_UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_TIMES = (("days", 86400.0), ("h", 3600.0), ("min", 60.0))
ALPHA = 0.05  # of a claim, or of all claims together; two-sided
P_BY = {"mcnemar": "McNemar's test", "bootstrap": "the paired bootstrap"}


def times_100(score: float | None) -> str:
    """The fraction times 100 with one decimal; in words where the metric has no value (a correlation of constants)."""
    return UNDEFINED if score is None else f"{100 * score:.1f}"


def interval(ends: Sequence[float] | None, *, sign: bool = False) -> str:
    """Both ends times 100: `48.1 to 56.0`; nothing where there is none."""
    if ends is None:
        return ""
    form = "+.1f" if sign else ".1f"
    return " to ".join(format(round(100 * end, 1) + 0.0, form) for end in ends)  # + 0.0: no -0.0


def confirm_note(found: Mapping[str, Any]) -> str:
    """What the dev examples that a search did not see say of what it found (`confirm` of a merge's row)."""
    expert = "" if found["expert"] is None else f", the best expert {times_100(found['expert'])}"
    shrunk = f" (shrunk by {found['shrunk']:.2f}; {times_100(found['unshrunk'])} before)" if found["shrunk"] else ""
    return (
        f"By {found['examples']} dev instances that were kept from the search it scores "
        f"{times_100(found['score'])}{shrunk}, the uniform merge {times_100(found['start'])}{expert}."
    )


def rare_note(classes: Sequence[str]) -> str:
    """What classes that are rare on test do to the intervals; empty without any."""
    if not classes:
        return ""
    return (
        f"The score has a macro F1, and fewer than 10 test instances are {', '.join(classes)}: its intervals are too "
        "narrow, in simulation they hold 87 to 92 %, not 95 %."
    )


def short_interval(ends: Sequence[float] | None) -> str:
    """Both ends times 100 without decimals, for a narrow column: `48–56`."""
    return "" if ends is None else "–".join(f"{100 * end:.0f}" for end in ends)


def rank_by_dev(row: Mapping[str, Any]) -> float:
    """What a model's row is sorted by: its dev score, an undefined one as the lowest."""
    score: float | None = row["dev"]["score"]
    return -1.0 if score is None else score


def seconds_in_words(seconds: float) -> str:
    """`90 s`, `2.5 h`."""
    for unit, length in _TIMES:
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def size_in_words(num_bytes: float) -> str:
    """`1.2 GB`."""
    for unit, size in _UNITS:
        if num_bytes >= size:
            return f"{num_bytes / size:.1f} {unit}"
    return f"{num_bytes:.0f} bytes"
