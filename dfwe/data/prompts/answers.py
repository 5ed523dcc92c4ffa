"""What the cells of a row say the answer is: one of a list, free text, or a number."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dfwe.data.bad_rows import RowError
from dfwe.errors import ConfigurationError
from dfwe.values.allowed import Name, Natural, Positive

_MOST_STEPS, _MOST_DECIMALS = 10_000, 15  # each step is an answer that is scored
_FILL = "Fill such cells, or list them in the reader's `leave_out: {{{column}: ['']}}`"

Cells = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True)
class Gold:
    """A row's answer: texts to learn, and what the metric compares with."""

    targets: tuple[str, ...]
    references: tuple[str, ...]


class Answer(ABC):
    """A form of answer."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns that hold it."""

    @property
    @abstractmethod
    def candidates(self) -> tuple[str, ...]:
        """The closed set of answers, empty for free text."""

    @abstractmethod
    def gold(self, cells: Cells) -> Gold:
        """The row's answer; RowError where it has none, or one that cannot be."""


@dataclass(frozen=True)
class OneOf(Answer):
    """One of `labels`; `texts` says which label a cell means where the cells are not the labels themselves."""

    column: Name
    labels: Sequence[str]
    texts: Mapping[str, str]

    def __post_init__(self) -> None:
        twice = [label for number, label in enumerate(self.labels) if label in self.labels[:number]]
        if twice:
            raise ConfigurationError(f"the label '{twice[0]}' is listed twice under `labels`: list each once")
        for cell, label in self.texts.items():
            if label not in self.labels:
                raise ConfigurationError(
                    f"`texts` makes '{label}' of '{cell}', which is none of the labels {', '.join(self.labels)}"
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    @property
    def candidates(self) -> tuple[str, ...]:
        """The labels."""
        return tuple(self.labels)

    def gold(self, cells: Cells) -> Gold:
        """The label; see Answer."""
        cell = single(cells, column=self.column)
        label = self.texts.get(cell, cell)
        if label not in self.labels:
            expected = ", ".join(dict.fromkeys([*self.texts, *self.labels]))
            raise RowError(
                f"unknown label '{cell}' in column '{self.column}', expected one of {expected}",
                remedy=f"Say what such cells mean in the answer's `texts`, or {_leave_out(self.column)}",
            )
        return Gold((label,), (label,))


@dataclass(frozen=True)
class FreeText(Answer):
    """Free text; several columns, or several texts in one cell, are alternatives that are all right."""

    texts: Sequence[str]  # columns
    separator: str | None  # between the alternatives in a cell; null where a cell is one

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self.texts)

    @property
    def candidates(self) -> tuple[str, ...]:
        """None: any text may be an answer."""
        return ()

    def gold(self, cells: Cells) -> Gold:
        """The alternatives, in the order of the columns, empty cells aside; see Answer."""
        texts = tuple(text for column in self.texts for text in self._alternatives(cells[column]) if text)
        if not texts:
            raise RowError(f"its answer ({', '.join(self.texts)}) is empty", remedy=_FILL.format(column=self.texts[0]))
        return Gold(texts, texts)

    def _alternatives(self, cell: str | tuple[str, ...]) -> list[str]:
        whole = [cell] if isinstance(cell, str) else list(cell)
        parts = whole if self.separator is None else [part for text in whole for part in text.split(self.separator)]
        return [flat(part) for part in parts]


@dataclass(frozen=True)
class Number(Answer):
    """A number from `low` to `high`, learnt as the text of the nearest multiple of `step` above `low`.

    T5 does so for the similarity of sentences, in steps of 0.2 (Raffel et al., 2020, section 2.4). The metric compares
    with the number as it stands in the file.
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
        if (self.high - self.low) / self.step > _MOST_STEPS or not 0 <= self.decimals <= _MOST_DECIMALS:
            raise ConfigurationError(
                f"a number needs at most {_MOST_STEPS} steps and 0 to {_MOST_DECIMALS} decimals: {self.low} to "
                f"{self.high} by {self.step}, {self.decimals} decimals"
            )
        if len(set(self.candidates)) < len(self.candidates):
            raise ConfigurationError(f"steps of {self.step} look the same with {self.decimals} decimals: give more")

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    @property
    def candidates(self) -> tuple[str, ...]:
        """The texts of all steps."""
        return tuple(self._text(step) for step in range(round((self.high - self.low) / self.step) + 1))

    def gold(self, cells: Cells) -> Gold:
        """The text of the nearest step, and the number; see Answer."""
        cell = single(cells, column=self.column)
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not self.low <= value <= self.high:
            raise RowError(
                f"'{cell}' in column '{self.column}' is not a number from {self.low:g} to {self.high:g}",
                remedy=f"Set the answer's `low` and `high`, or {_leave_out(self.column)}",
            )
        return Gold((self._text(round((value - self.low) / self.step)),), (cell,))

    def _text(self, step: int) -> str:
        return f"{self.low + step * self.step:.{self.decimals}f}"


def single(cells: Cells, *, column: str) -> str:
    """The column's text, white space collapsed; RowError where it is empty or a list."""
    cell = cells[column]
    if not isinstance(cell, str):
        raise RowError(f"column '{column}' is a list, expected one text")
    text = flat(cell)
    if not text:
        raise RowError(f"column '{column}' is empty", remedy=_FILL.format(column=column))
    return text


def _leave_out(column: str) -> str:
    return f"list the cells of such rows in the reader's `leave_out: {{{column}: [...]}}`"


def flat(text: str) -> str:
    """The text with single blanks for white space, none at its ends."""
    return " ".join(text.split())
