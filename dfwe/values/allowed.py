"""What a setting may be, as annotations of configurations' and constructors' fields: `Annotated[int, AtLeast(1)]`.

A type checker sees the type, `dfwe.values.check` the rest: `holds` says whether a value of that type is allowed, `text`
what is, in words that begin with the type's. `number(...)` fits most fields by one of the names below.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class Within:
    """A number within bounds; None for an open end."""

    at_least: int | float | None = None
    above: int | float | None = None
    at_most: int | float | None = None
    below: int | float | None = None

    def holds(self, value: Any) -> bool:
        """Return whether the number lies within."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def text(self, kind: str) -> str:
        """Return for instance "a whole number of at least 1"."""
        if self.at_least is not None and self.at_most is not None:
            return f"{kind} from {self.at_least:g} to {self.at_most:g}"
        words = {"of at least": self.at_least, "above": self.above, "of at most": self.at_most, "below": self.below}
        return f"{kind} " + " and ".join(f"{word} {bound:g}" for word, bound in words.items() if bound is not None)


class OneOf:
    """One of a list of choices; `find` looks them up when a value is checked, as files are."""

    def __init__(self, *choices: str, find: Callable[[], tuple[str, ...]] | None = None) -> None:
        self._find = find or (lambda: choices)

    @property
    def choices(self) -> tuple[str, ...]:
        """Choices as they are now."""
        return self._find()

    def holds(self, value: Any) -> bool:
        """Return whether the value is a choice."""
        return value in self.choices

    def text(self, kind: str) -> str:
        """Return the choices."""
        *others, last = self.choices
        return f"{', '.join(others)} or {last}" if others else last


@dataclass(frozen=True)
class Where:
    """Whatever a condition holds for; `words` follow the type."""

    condition: Callable[[Any], bool]
    words: str

    def holds(self, value: Any) -> bool:
        """Return whether the condition does."""
        return self.condition(value)

    def text(self, kind: str) -> str:
        """Return the words."""
        return f"{kind} {self.words}"


@dataclass(frozen=True)
class As:
    """Another annotation to check by, where OmegaConf can hold `Any` alone, or would convert what should be refused."""

    annotation: Any


@dataclass(frozen=True)
class Known:
    """A mapping of whatever keys, of which `annotations` has those whose values are known."""

    annotations: Mapping[str, Any]


def is_encoding(text: str) -> bool:
    """Return whether Python knows it."""
    try:
        codecs.lookup(text)
    except LookupError:
        return False
    return True


def is_size(text: str) -> bool:
    """Return whether it is a number of bytes with a unit, above 0."""
    return bool(re.fullmatch(r"[1-9]\d*(\.\d+)?[KMGT]i?B", text))


def per_class(text: str) -> int | None:
    """Return the number of a text such as `8 per class`, above 0; None of another."""
    match = re.fullmatch("([1-9][0-9]*) per class", text)
    return int(match[1]) if match else None


def is_repository(text: str) -> bool:
    """Return whether it can be the name of a repository on the Hub, with its owner."""
    is_name = re.fullmatch(r"[A-Za-z0-9][\w.-]*(?<![.-])/[A-Za-z0-9][\w.-]*(?<![.-])", text, re.ASCII)
    return bool(is_name) and len(text) <= 96 and not re.search(r"--|\.\.|\.git$", text)


def is_regular_expression(text: str) -> bool:
    """Return whether it can be compiled, and matches not everything as an empty one does."""
    try:
        re.compile(text)
    except re.error:
        return False
    return bool(text)


Count = Annotated[int, Within(at_least=1)]
Natural = Annotated[int, Within(at_least=0)]
Pair = Annotated[int, Within(at_least=2)]
Positive = Annotated[float, Within(above=0)]
NonNegative = Annotated[float, Within(at_least=0)]
Share = Annotated[float, Within(at_least=0, at_most=1)]
PositiveShare = Annotated[float, Within(above=0, at_most=1)]  # a density, say
OpenShare = Annotated[float, Within(above=0, below=1)]
PartialShare = Annotated[float, Within(at_least=0, below=1)]  # a dropout's
Name = Annotated[str, Where(bool, "that is not empty")]
Pattern = Annotated[str, Where(is_regular_expression, "that is a regular expression, not empty")]
Repository = Annotated[str, Where(is_repository, "that names a repository on the Hub, as user/name")]
Size = Annotated[str, Where(is_size, "of bytes with a unit, as 5GB or 500MB")]
Encoding = Annotated[str, Where(is_encoding, "that names an encoding, as utf-8 does")]
Character = Annotated[str, Where(lambda text: len(text) == 1, "of one character")]
Sha256 = Annotated[str, Where(lambda text: bool(re.fullmatch("[0-9a-f]{64}", text)), "of 64 hexadecimal digits")]
