"""Models as people read of them, for the terminal, pages, pictures and W&B; keys in JSON and on the command line stay.

Three models mix all tasks or experts: an expert that was trained on all tasks, the merge with equal coefficients, and
one with random ones. Here alone they are called what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_BY_KIND: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("baseline", "baseline"): "baseline (target alone)",
        ("expert", "mixture"): "expert on all tasks",
        ("merge", "uniform"): "uniform merge",
        ("control", "random"): "random merge",
        ("control", "multitask"): "multitask training",
        ("control", "ensemble"): "ensemble of answers",
        ("control", "same_compute"): "baseline, as long",
    }
)


def name_of(row: Mapping[str, Any]) -> str:
    """Return the name of a row of results: its title where it has one."""
    return str(row.get("title") or display_name(row["name"], kind=row["kind"]))


def names_of(rows: list[Mapping[str, Any]]) -> dict[str, str]:
    """Return the rows' names by their keys."""
    return {row["name"]: name_of(row) for row in rows}


def display_name(name: str, *, kind: str) -> str:
    """Return the name of a model of that kind: baseline, expert, merge or control."""
    return _BY_KIND.get((kind, name), name)


def expert_name(name: str) -> str:
    """Return the name of an expert that has a coefficient: `mixture`, or `group/mixture` for a group of tensors."""
    group, slash, expert = name.rpartition("/")
    return f"{group}{slash}{display_name(expert, kind='expert')}"
