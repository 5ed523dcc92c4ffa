"""Checked access to annotations; errors name the place of a missing or unknown value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dfwe.data.readers.base import Dialogue
from dfwe.errors import DataError


def is_annotated(dialogue: Dialogue, *, task: str, unlabelled: bool) -> bool:
    """Check whether a dialogue is part of a task, so that its `dialogue_metadata` names the task.

    Dialogues to predict for may leave the metadata out; they take part in whatever they are asked.
    """
    return unlabelled or task in field(dialogue, key="dialogue_metadata", where=dialogue_name(dialogue))


def annotations_of(dialogue: Dialogue, *, task: str, unlabelled: bool) -> Sequence[Mapping[str, Any]]:
    """Return a dialogue's list under the task's key, empty if the dialogue is not part of the task."""
    if not is_annotated(dialogue, task=task, unlabelled=unlabelled):
        return []
    return records(dialogue, key=task, where=dialogue_name(dialogue)) if task in dialogue or not unlabelled else []


def records(holder: Any, *, key: str, where: str) -> Sequence[Mapping[str, Any]]:
    """Return a field that is a list of objects."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, Sequence) or not all(isinstance(entry, Mapping) for entry in value):
        raise DataError(f"{where}: '{key}' must be a list of objects")
    return value


def record(holder: Any, *, key: str, where: str) -> Mapping[str, Any]:
    """Return a field that is an object."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: '{key}' must be an object")
    return value


def field(holder: Any, *, key: str, where: str) -> Any:
    """Return the value under a required key."""
    if not isinstance(holder, Mapping) or key not in holder:
        raise DataError(f"{where}: '{key}' is missing")
    return holder[key]


def text_of(holder: Any, *, key: str, where: str) -> str:
    """Return a field that is a text."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, str):
        raise DataError(f"{where}: '{key}' must be a text")
    return value


def texts_of(holder: Any, *, key: str, where: str) -> tuple[str, ...]:
    """Return a field that is a list of texts, not a single text."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise DataError(f"{where}: '{key}' must be a list of texts")
    return tuple(value)


def number_of(holder: Any, *, key: str, where: str) -> int:
    """Return a field that is a whole number from 0 on: a place in a text or in a list."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise DataError(f"{where}: '{key}' must be a whole number from 0 on")
    return value


def identify(annotation: Mapping[str, Any], *, dialogue: Dialogue, derived: str) -> tuple[str, str]:
    """Return the annotation's `instance_id`, or the derived one if it has none, and the instance's name in messages."""
    name = dialogue_name(dialogue)
    instance_id = text_of(annotation, key="instance_id", where=name) if "instance_id" in annotation else derived
    return instance_id, f"{name}, instance '{instance_id}'"


def gold(
    annotation: Mapping[str, Any], *, key: str, labels: Sequence[str], unlabelled: bool, where: str
) -> tuple[str, ...]:
    """Return the gold label as the only member, or nothing if an unlabelled annotation lacks it."""
    if unlabelled and annotation.get(key) is None:
        return ()
    label = field(annotation, key=key, where=where)
    check_label(label, labels=labels, where=where)
    return (label,)


def check_label(label: Any, *, labels: Collection[str], where: str) -> None:
    """Raise DataError for a label that the task does not have."""
    if label not in labels:
        raise DataError(f"{where}: unknown label '{label}', expected one of {', '.join(labels)}")


def dialogue_name(dialogue: Dialogue) -> str:
    """Return the name of a dialogue in messages."""
    return f"dialogue '{dialogue['dialogue_id']}'"
