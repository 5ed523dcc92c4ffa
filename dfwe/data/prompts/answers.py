"""Answers in the cells of a row: a class label, free text, or a number."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dfwe.data.readers.base import RowError
from dfwe.errors import ConfigurationError
from dfwe.values.allowed import Name, Natural, Positive

_ROUNDING = 1e-6  # of a step: a number that misses the scale by less was rounded
_MAX_STEPS, _MAX_DECIMALS = 10_000, 15  # each step is an answer that is scored
_FILL = "Fill such cells, or list them in the reader's `exclude: {{{column}: ['']}}`"

Cells = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True)
class Gold:
    """Gold answer of a row: texts to learn, and references for the metric."""

    targets: tuple[str, ...]
    references: tuple[str, ...]


class AnswerFormat(ABC):
    """Format of a task's answers."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Columns that hold the answer."""

    @property
    @abstractmethod
    def candidates(self) -> tuple[str, ...]:
        """Closed set of answers, empty for free text."""

    @abstractmethod
    def gold(self, cells: Cells) -> Gold:
        """Return the row's answer; RowError if it is missing or invalid."""


@dataclass(frozen=True)
class ClassLabel(AnswerFormat):
    """One of `labels`; `texts` maps cells to labels where cells are not the labels themselves."""

    column: Name
    labels: Sequence[str]
    texts: Mapping[str, str]

    def __post_init__(self) -> None:
        twice = next((label for label, number in Counter(self.labels).items() if number > 1), None)
        if twice is not None:
            raise ConfigurationError(f"the label '{twice}' is listed twice under `labels`: list each once")
        for cell, label in self.texts.items():
            if label not in self.labels:
                raise ConfigurationError(
                    f"`texts` makes '{label}' of '{cell}', which is none of the labels {', '.join(self.labels)}"
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """The single column."""
        return (self.column,)

    @property
    def candidates(self) -> tuple[str, ...]:
        """All labels."""
        return tuple(self.labels)

    def gold(self, cells: Cells) -> Gold:
        """Return the label; see AnswerFormat."""
        cell = single(cells, column=self.column)
        label = self.texts.get(cell, cell)
        if label not in self.labels:
            expected = ", ".join(dict.fromkeys([*self.texts, *self.labels]))
            raise RowError(
                f"unknown label '{cell}' in column '{self.column}', expected one of {expected}",
                remedy=f"Map such cells to labels in the answer's `texts`, or {_exclude(self.column)}",
            )
        return Gold((label,), (label,))


@dataclass(frozen=True)
class FreeText(AnswerFormat):
    """Free text; several columns, or several texts in one cell, are alternatives that are all correct."""

    texts: Sequence[str]  # columns
    separator: str | None  # between alternatives in a cell; null for one text per cell

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of alternatives."""
        return tuple(self.texts)

    @property
    def candidates(self) -> tuple[str, ...]:
        """Empty, because any text may be an answer."""
        return ()

    def gold(self, cells: Cells) -> Gold:
        """Return the non-empty alternatives in the order of the columns; see AnswerFormat."""
        alternatives = [flat(text) for column in self.texts for text in self._alternatives(cells[column])]
        texts = tuple(text for text in alternatives if text)
        if not texts:
            raise RowError(f"its answer ({', '.join(self.texts)}) is empty", remedy=_FILL.format(column=self.texts[0]))
        return Gold(texts, texts)

    def _alternatives(self, cell: str | tuple[str, ...]) -> list[str]:
        texts = [cell] if isinstance(cell, str) else list(cell)
        return texts if self.separator is None else [part for text in texts for part in text.split(self.separator)]


@dataclass(frozen=True)
class Number(AnswerFormat):
    """A number from `low` to `high`, learnt as the text of the nearest multiple of `step` above `low`.

    T5 does the same for sentence similarity, in steps of 0.2 (Raffel et al., 2020, section 2.4). The metric compares
    with the number in the file.
    """

    column: Name
    low: float
    high: float
    step: Positive
    decimals: Natural  # of the text

    def __post_init__(self) -> None:
        if self.step <= 0 or self.high <= self.low:
            raise ConfigurationError(
                f"a number needs low < high and a step above 0: {self.low}, {self.high}, {self.step}"
            )
        if (self.high - self.low) / self.step > _MAX_STEPS or not 0 <= self.decimals <= _MAX_DECIMALS:
            raise ConfigurationError(
                f"a number needs at most {_MAX_STEPS} steps and 0 to {_MAX_DECIMALS} decimals: {self.low} to "
                f"{self.high} by {self.step}, {self.decimals} decimals"
            )
        if len(set(self.candidates)) < len(self.candidates):
            raise ConfigurationError(f"steps of {self.step} look the same with {self.decimals} decimals: give more")

    @property
    def columns(self) -> tuple[str, ...]:
        """The single column."""
        return (self.column,)

    @property
    def candidates(self) -> tuple[str, ...]:
        """Texts of all steps."""
        return tuple(self._text(step) for step in range(round((self.high - self.low) / self.step) + 1))

    def gold(self, cells: Cells) -> Gold:
        """Return the text of the nearest step, and the number; see AnswerFormat."""
        cell = single(cells, column=self.column)
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        slack = _ROUNDING * self.step
        if not self.low - slack <= value <= self.high + slack:
            raise RowError(
                f"'{cell}' in column '{self.column}' is not a number from {self.low:g} to {self.high:g}",
                remedy=f"Set the answer's `low` and `high`, or {_exclude(self.column)}",
            )
        return Gold((self._text(round((value - self.low) / self.step)),), (cell,))

    def _text(self, step: int) -> str:
        return f"{self.low + step * self.step:.{self.decimals}f}"


def single(cells: Cells, *, column: str) -> str:
    """Return the column's text with white space collapsed; RowError if it is empty or a list."""
    cell = cells[column]
    if not isinstance(cell, str):
        raise RowError(f"column '{column}' {'is a list' if cell else 'holds no text'}, expected one text")
    text = flat(cell)
    if not text:
        raise RowError(f"column '{column}' is empty", remedy=_FILL.format(column=column))
    return text


def _exclude(column: str) -> str:
    return f"list the cells of such rows in the reader's `exclude: {{{column}: [...]}}`"


def flat(text: str) -> str:
    """Return the text with single blanks for white space, none at its ends."""
    return " ".join(text.split())
