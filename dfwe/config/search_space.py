"""The search space of a merge, from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from dfwe.errors import ConfigurationError, SearchError
from dfwe.merging.base import MergeMethod, method_name
from dfwe.search.space import Range, Setting, Space


def search_space(
    config: Mapping[str, Any], *, method: MergeMethod, experts: tuple[str, ...], groups: tuple[str, ...]
) -> Space:
    """Return the space of coefficients, simplex or range (`merge.coefficients`), and of the tuned parameters.

    Raises:
        SearchError: a range is empty, or its start lies outside.
        ConfigurationError: a tuned parameter is not a number of the method, or a range is not {low, high}.
    """
    box, tuned = config["coefficients"], config["tuned_parameters"]
    parameters = {field.name: getattr(method, field.name) for field in fields(method)}  # type: ignore[arg-type]
    numbers = {name: float(value) for name, value in parameters.items() if type(value) in (int, float)}
    for name in tuned:
        if name not in numbers:
            raise ConfigurationError(
                f"merge.tuned_parameters: {method_name(method)} has no number named '{name}': "
                f"it has {', '.join(numbers) or 'none'}"
            )
    return Space(
        experts,
        groups,
        None if box == "simplex" else _range(box, key="merge.coefficients"),
        tuple(
            Setting(name, _range(box, key=f"merge.tuned_parameters.{name}"), numbers[name])
            for name, box in tuned.items()
        ),
        vertices=method.properties.recovers_experts,
    )


def _range(box: Any, *, key: str) -> Range:
    if not isinstance(box, Mapping) or box.keys() != {"low", "high"}:
        raise ConfigurationError(f"{key} must have `low` and `high` (or be the name of an option), not {box}")
    try:
        return Range(float(box["low"]), float(box["high"]))
    except SearchError as error:
        raise SearchError(f"{key}: {error}") from error
