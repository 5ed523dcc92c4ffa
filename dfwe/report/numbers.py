"""Write numbers for people: scores times 100, intervals, p-values, times and sizes; tell what differences show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

UNDEFINED = "undefined"
ALPHA = 0.05  # of a claim, or of all claims together; two-sided
_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_TIMES = (("days", 86400.0), ("h", 3600.0), ("min", 60.0))


def is_gain(difference: Mapping[str, Any]) -> bool:
    """Tell whether a difference on test is shown to be above 0."""
    return bool(difference["p"] <= ALPHA and difference["delta_interval"][0] > 0)


def is_loss(difference: Mapping[str, Any]) -> bool:
    """Tell whether a difference on test is shown to be below 0."""
    return bool(difference["p"] <= ALPHA and difference["delta_interval"][1] < 0)


def times_100(score: float | None) -> str:
    """Write a fraction times 100; `undefined` where the metric has no value, as a correlation of constants."""
    return UNDEFINED if score is None else f"{round(100 * score, 1) + 0.0:.1f}"  # + 0.0: no -0.0


def signed(value: float | int, *, decimals: int = 1) -> str:
    """Write a difference of fractions times 100, with its sign."""
    return f"{round(100 * value, decimals) + 0.0:+.{decimals}f}"


def interval(ends: Sequence[float] | None, *, sign: bool = False) -> str:
    """Write both ends times 100, `48.1 to 56.0`; an empty text where there is no interval."""
    if ends is None:
        return ""
    form = "+.1f" if sign else ".1f"
    return " to ".join(format(round(100 * end, 1) + 0.0, form) for end in ends)


def difference_in_words(difference: Mapping[str, Any]) -> str:
    """Write a difference times 100 with the ends of its interval, if it has one: `+0.4, -1.2 to +2.0`."""
    ends = interval(difference["delta_interval"], sign=True)
    return ", ".join(filter(None, [signed(difference["delta"]), ends]))


def short_interval(ends: Sequence[float] | None) -> str:
    """Write both ends times 100 without decimals, for a narrow column: `48–56`, `-20 to -5`."""
    whole = [round(100 * end) for end in ends or ()]
    return (" to " if whole and min(whole) < 0 else "–").join(map(str, whole))


def p_in_words(p: float | int) -> str:
    """Write a p-value; small ones as `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def models_in_words(numbers: Sequence[int]) -> str:
    """Write how many models answer, over studies: `5 models`, `1 to 5 models`; nothing where it is always one."""
    least, most = min(numbers), max(numbers)
    if most == 1:
        return ""
    return f"{most} models" if least == most else f"{least} to {most} models"


def seconds_in_words(seconds: float | int) -> str:
    """Write a time in the unit that fits: `90 s`, `2.5 h`."""
    for unit, length in _TIMES:
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def size_in_words(num_bytes: float | int) -> str:
    """Write a size in the unit that fits: `1.2 GB`."""
    for unit, size in _SIZES:
        if num_bytes >= size:
            return f"{num_bytes / size:.1f} {unit}"
    return f"{num_bytes:.0f} bytes"
