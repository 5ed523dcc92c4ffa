"""Read and check what the models of a study answered on test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from dfwe.errors import DataError
from dfwe.io.strict_json import read_json
from dfwe.report.run_folder import RESULTS, TEST_PREDICTIONS

AnswerKind = Literal["label", "relations", "text"]


@dataclass(frozen=True)
class StudyPredictions:
    """Hold all models' answers on the target's test split in the split's order, and their scores."""

    path: Path
    target: str  # the task's long name
    kind: AnswerKind  # how an answer is understood: one label, any relations named in it, or as it stands
    labels: tuple[str, ...]  # in the benchmark's order; none for text
    names: Mapping[str, str]  # relations alone: label to natural name
    default: str  # relations alone: the label of an answer that names none
    whole_words: bool  # relations alone: whether a name counts only between word boundaries
    instance_ids: tuple[str, ...]  # real data repeat some
    answers: Mapping[str, tuple[str, ...]]  # by model
    scores: Mapping[str, float]  # by model: its score on test, in [0, 1], where it is defined
    headline_merge: str | None

    @classmethod
    def read(cls, path: Path) -> StudyPredictions:
        """Read those of a run folder.

        Raises:
            DataError: a file is missing, broken, or of another study than the other.
        """
        results, record = _read(path / RESULTS), _read(path / TEST_PREDICTIONS)
        try:
            _check(path, results=results, record=record)
            task = record["task"]
            scored = [row for row in results["models"] if row.get("test", {}).get("score") is not None]
            return cls(
                path=path,
                target=task["name"],
                kind=task["kind"],
                labels=tuple(task["labels"]),
                names=task.get("names", {}),
                default=task.get("default", ""),
                whole_words=task.get("whole_words", False),
                instance_ids=tuple(record["instance_ids"]),
                answers={name: tuple(answers) for name, answers in record["models"].items()},
                scores={row["name"]: row["test"]["score"] for row in scored},
                headline_merge=results["headline"].get("name"),
            )
        except (KeyError, TypeError, AttributeError) as error:
            files = f"{RESULTS} or {TEST_PREDICTIONS}"
            raise DataError(f"{path}: {files} lacks a part ({error!r}): run it again") from error


def _read(path: Path) -> Any:
    missing = (
        f"{path} is missing: expected the folder of a study that ran to its evaluation, outputs/<date>/<time>; run "
        "the study's command again, it trains nothing twice"
    )
    return read_json(path, missing=missing)


def _check(path: Path, *, results: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Raise a DataError where the two files do not fit each other, or answers are not texts."""
    num, kind = len(record["instance_ids"]), record["task"]["kind"]
    tested = {row["name"] for row in results["models"] if "test" in row}
    if (record["task"]["name"], num, set(record["models"])) != (results["target"], results["n"]["test"], tested):
        raise DataError(f"{path}: {RESULTS} and {TEST_PREDICTIONS} are not of the same study: run it again")
    if kind not in get_args(AnswerKind):
        raise DataError(f"{path}: unknown kind of answers '{kind}', expected {', '.join(get_args(AnswerKind))}")
    for name, answers in record["models"].items():
        if len(answers) != num or not all(isinstance(answer, str) for answer in answers):
            raise DataError(f"{path}: {name} must have a text for each of {num} test instances")
