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


def text_of(holder: Any, *, key: str, where: str) -> str:
    """A field that is a text."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, str):
        raise DataError(f"{where}: '{key}' must be a text")
    return value


def texts_of(holder: Any, *, key: str, where: str) -> tuple[str, ...]:
    """A field that is a list of texts; one text is not one, though its letters are."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise DataError(f"{where}: '{key}' must be a list of texts")
    return tuple(value)


def number_of(holder: Any, *, key: str, where: str) -> int:
    """A field that is a whole number, not below 0: a place in a text or in a list."""
    value = field(holder, key=key, where=where)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise DataError(f"{where}: '{key}' must be a whole number from 0 on")
    return value


def own_id(annotation: Mapping[str, Any], *, derived: str, where: str) -> str:
    """The annotation's `instance_id`, the derived one where it has none."""
    return text_of(annotation, key="instance_id", where=where) if "instance_id" in annotation else derived


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
