"""Names of rows: those that every study has, and what a user may call others.

A row is found by its name, in tables, files and settings: no two rows of a study may share one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from dfwe.conf import option_names
from dfwe.values.allowed import Where

BASELINE = "baseline"  # the parent fine-tuned on the target alone
MIXTURE = "mixture"  # the expert trained on {t} and S together
UNIFORM = "uniform"  # the merge that every study has
LONG_BASELINE = "same_compute"  # takes the role of the equally trained baseline where it is among the baselines

EQUALLY_TRAINED, BEST_EXPERT = "equally_trained", "best_expert"  # roles beside those of BASELINE and UNIFORM


class NotReserved:
    """A name that no row of every study has, `but` some aside, and that can be part of a file's name."""

    def __init__(self, *but: str) -> None:
        self._but = but

    def holds(self, name: str) -> bool:
        """Return whether a user may give it."""
        return name not in self._reserved()

    def text(self, kind: str) -> str:
        """Return which names are taken."""
        return f"{kind} other than the names of rows that studies have: {', '.join(self._reserved())}"

    def _reserved(self) -> list[str]:
        return [name for name in reserved_names() if name not in self._but]


def reserved_names() -> tuple[str, ...]:
    """Return the names of rows that studies have whatever a user calls others; the baselines are the files in conf/."""
    return (BASELINE, MIXTURE, UNIFORM, *option_names("baseline"))


def early_name(expert: str, epochs: int) -> str:
    """Return the name of an expert whose trainings ended after so many epochs (stages.ladder)."""
    return f"{expert}_epoch_{epochs}"


def compositions() -> tuple[str, ...]:
    """Return what `sources=` knows beside tasks."""
    return ("all", *option_names("sources"))


def shared_name(*groups: Iterable[str]) -> str | None:
    """Return the first name that comes twice, None where there is none."""
    seen: set[str] = set()
    for group in groups:
        for name in group:
            if name in seen:
                return name
            seen.add(name)
    return None


def suits_files(name: str) -> bool:
    """Return whether a name may become part of files' names."""
    return bool(re.fullmatch(r"\w[\w.+-]*", name))


_IN_FILES = Where(
    suits_files,
    "of letters, digits, '_', '.', '+' and '-', as it becomes part of files' names",
)

MergeName = Annotated[str, NotReserved(UNIFORM), _IN_FILES]  # `merge=uniform` is the row itself
ModelName = Annotated[str, NotReserved(UNIFORM), _IN_FILES]  # of models and merges of a multitask study
