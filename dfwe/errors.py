"""Errors of the user's, each one clear line: what, where, what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from dfwe.controls import without_controls

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class DfweError(Exception):
    """Wrong input, or a broken file; `run` prints it as one line and exits with 2.

    What a user or a file named may stand in it: nothing of it steers a terminal or a log.
    """

    def __str__(self) -> str:
        return without_controls(super().__str__())


class ConfigurationError(DfweError, ValueError):
    """A setting, or a combination of settings, that cannot work."""


class DataError(DfweError, ValueError):
    """Data that is missing, broken, or not what its format promises."""


class MetricError(DfweError, ValueError):
    """Predictions or references that a metric cannot score."""


class ModelError(DfweError, ValueError):
    """Weights, configuration or tokenizer that do not fit together."""


class MergeError(DfweError, ValueError):
    """Experts or coefficients that cannot be merged."""


class SearchError(DfweError, ValueError):
    """A search that cannot start or go on."""


class StoreError(DfweError, OSError):
    """A file of the store that is missing, truncated or changed."""


class OutputError(DfweError, OSError):
    """A file or folder that cannot be written: no room, no permission, gone, or something else in its place."""

    def __init__(self, message: str, *, path: Path | None = None) -> None:
        super().__init__(message)
        self.path = path


class ExecutorError(DfweError, RuntimeError):
    """Workers that cannot be had, or do not come back."""


class NetworkError(DfweError, OSError):
    """Something must be downloaded and cannot be."""


def quoted(words: Iterable[str]) -> str:
    """Return the words in quotes, with commas between them."""
    return ", ".join(f"'{word}'" for word in words)


def first_line(error: Exception) -> str:
    """Return a library's message in one line, without colours: its first, and the next where that ends in a colon."""
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()]
    return " ".join(lines[: 1 + lines[0].endswith(":")]) if lines else type(error).__name__


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return " (did you mean ...?)" with the known word that is closest, or nothing."""
    close = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
