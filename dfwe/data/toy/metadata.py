"""What a TLiDB file says of its tasks: labels and the reference's metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dfwe.data.toy.lexicon import FEELINGS, SPEAKERS

_RELATIONS = (
    *("per:positive_impression", "per:negative_impression", "per:acquaintance", "per:alumni", "per:boss"),
    *("per:subordinate", "per:client", "per:dates", "per:friends", "per:girl/boyfriend", "per:neighbor"),
    *("per:roommate", "per:children", "per:other_family", "per:parents", "per:siblings", "per:spouse"),
    *("per:place_of_residence", "per:place_of_birth", "per:visited_place", "per:origin"),
    *("per:employee_or_member_of", "per:schools_attended", "per:works", "per:age", "per:date_of_birth"),
    *("per:major", "per:place_of_work", "per:title", "per:alternate_names", "per:pet"),
    *("gpe:residents_of_place", "gpe:visitors_of_place", "gpe:births_in_place", "org:employees_or_members"),
    *("org:students", "unanswerable"),
)
_SCORED_RELATIONS = [index for index in range(35) if index not in (18, 29, 33)]


def task_metadata(tasks: Sequence[str]) -> dict[str, Any]:
    """The `metadata` object of a data set with these tasks."""
    known = _known_tasks()
    return {
        "dataset_name": "Friends",
        "tasks": list(tasks),
        "task_metadata": {task: known[task] for task in tasks},
    }


def _known_tasks() -> dict[str, dict[str, Any]]:
    people = [*(person.label for person in SPEAKERS), "other"]
    return {
        "emory_emotion_recognition": _f1("micro", "weighted", labels=_labels("emory")),
        "reading_comprehension": {"metrics": ["exact_match"]},
        "character_identification": _f1("micro", "macro", labels=people),
        "question_answering": {
            "metrics": ["exact_match", "token_f1"],
            "metric_kwargs": {"token_f1": [{"average": "macro"}, {"average": "micro"}]},
        },
        "personality_detection": {"labels": ["0", "1"], "metrics": ["accuracy"]},
        "relation_extraction": {
            "labels": list(_RELATIONS),
            "metrics": ["multilabel_f1"],
            "metric_kwargs": {"multilabel_f1": [{"labels": _SCORED_RELATIONS}]},
        },
        "MELD_emotion_recognition": _f1("micro", "weighted", labels=_labels("meld")),
    }


def _f1(*averages: str, labels: Sequence[str]) -> dict[str, Any]:
    kwargs = {"f1": [{"average": average} for average in averages]}
    return {"labels": list(labels), "metrics": ["f1"], "metric_kwargs": kwargs}


def _labels(scheme: str) -> list[str]:
    return sorted({getattr(feeling, scheme) for feeling in FEELINGS.values()})
