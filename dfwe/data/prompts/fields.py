"""Checked access to annotations: what is missing or unknown is an error that says where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dfwe.data.readers.base import Dialogue
from dfwe.errors import DataError


def is_annotated(dialogue: Dialogue, *, task: str, unlabelled: bool) -> bool:
    """Whether a dialogue takes part in a task: its `dialogue_metadata` names it, as the reference has it.

    Dialogues to predict for may leave the metadata out; they take part in whatever they are asked.
    """
    return unlabelled or task in field(dialogue, key="dialogue_metadata", where=dialogue_name(dialogue))


def annotations_of(dialogue: Dialogue, *, task: str, unlabelled: bool) -> Sequence[Mapping[str, Any]]:
    """A dialogue's list under the task's key, empty where the dialogue takes no part in the task."""
    if not is_annotated(dialogue, task=task, unlabelled=unlabelled):
        return []
    return records(dialogue, key=task, where=dialogue_name(dialogue)) if task in dialogue or not unlabelled else []


def records(holder: Any, *, key: str, where: str) -> Sequence[Mapping[str, Any]]:
    """A field that is a list of objects."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, Sequence) or not all(isinstance(entry, Mapping) for entry in value):
        raise DataError(f"{where}: '{key}' must be a list of objects")
    return value


def record(holder: Any, *, key: str, where: str) -> Mapping[str, Any]:
    """A field that is an object."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: '{key}' must be an object")
    return value


def field(holder: Any, *, key: str, where: str) -> Any:
    """The value under a key that must be there."""
    if not isinstance(holder, Mapping) or key not in holder:
        raise DataError(f"{where}: '{key}' is missing")
    return holder[key]


def gold(
    annotation: Mapping[str, Any], *, key: str, labels: Sequence[str], unlabelled: bool, where: str
) -> tuple[str, ...]:
    """The gold label as the only member, or nothing where the annotation may and does lack it."""
    if unlabelled and annotation.get(key) is None:
        return ()
    label = field(annotation, key=key, where=where)
    check_label(label, labels=labels, where=where)
    return (label,)


def check_label(label: Any, *, labels: Sequence[str], where: str) -> None:
    """Raises DataError for a label that the task does not know."""
    if label not in labels:
        raise DataError(f"{where}: unknown label '{label}', expected one of {', '.join(labels)}")


def location(dialogue: Dialogue, *, instance_id: str) -> str:
    """How messages name an instance."""
    return f"{dialogue_name(dialogue)}, instance '{instance_id}'"


def dialogue_name(dialogue: Dialogue) -> str:
    """How messages name a dialogue."""
    return f"dialogue '{dialogue['dialogue_id']}'"


def hyphenated(name: str) -> str:
    """A name as instance ids have it."""
    return name.replace(" ", "-")
