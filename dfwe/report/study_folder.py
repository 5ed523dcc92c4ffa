"""What a study left in its run folder, read back and checked: results, and every model's answers on test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from dfwe.errors import DataError, DfweError
from dfwe.io import strict_json

RESULTS = "results.json"
TEST_PREDICTIONS = "test_predictions.json"
Kind = Literal["label", "relations", "text"]


@dataclass(frozen=True)
class StudyFolder:
    """One study's results, and its models' answers on the target's test split in the split's order."""

    path: Path
    target: str  # the task's long name
    kind: Kind  # how an answer is understood: one label, any relations named in it, or as it stands
    labels: tuple[str, ...]  # in the benchmark's order; none for text
    names: Mapping[str, str]  # relations alone: label to natural name
    default: str  # relations alone: the label of an answer that names none
    whole_words: bool  # relations alone: whether a name counts only between word boundaries
    instance_ids: tuple[str, ...]  # real data repeat some
    answers: Mapping[str, tuple[str, ...]]  # by model
    scores: Mapping[str, float]  # by model: its score on test, in [0, 1], where it is defined
    asked: str | None  # the merge that was asked for

    @classmethod
    def read(cls, path: Path) -> StudyFolder:
        """The study of a run folder.

        Raises:
            DataError: a file is missing, broken, or of another study than the other.
        """
        results, found = _json(path / RESULTS), _json(path / TEST_PREDICTIONS)
        try:
            _check(path, results=results, found=found)
            return cls(
                path=path,
                target=found["task"]["name"],
                kind=found["task"]["kind"],
                labels=tuple(found["task"]["labels"]),
                names=found["task"].get("names", {}),
                default=found["task"].get("default", ""),
                whole_words=found["task"].get("whole_words", False),
                instance_ids=tuple(found["instance_ids"]),
                answers={name: tuple(answers) for name, answers in found["models"].items()},
                scores={row["name"]: row["test"]["score"] for row in results["models"] if _is_scored(row)},
                asked=results["headline"].get("name"),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path}: {RESULTS} or {TEST_PREDICTIONS} lacks a part ({error!r}): run it again"
            ) from error


def _is_scored(row: Mapping[str, Any]) -> bool:
    """Whether it has a score on test; it has none where the metric is undefined for its answers."""
    return "test" in row and row["test"]["score"] is not None


def _json(path: Path) -> Any:
    missing = (
        f"{path} is missing: expected the folder of a study that ran to its evaluation, outputs/<date>/<time>; run "
        "the study's command again, it trains nothing twice"
    )
    return read_json(path, missing=missing)


def read_json(path: Path, *, missing: str) -> Any:
    """What the file holds; DataError where it cannot be read, and with the words `missing` where there is none."""
    return strict_json.read_json(path, missing=missing)


@contextmanager
def results_read(where: Path) -> Iterator[None]:
    """Make a DataError of what goes wrong in the block because results, or files beside them, are of another form."""
    try:
        yield
    except DfweError:
        raise
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise DataError(
            f"{where}: {RESULTS}, or a file beside it, is not what a study writes ({type(error).__name__}: {error}); "
            "run the study's command again, it trains nothing twice"
        ) from error


def _check(path: Path, *, results: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Raises DataError where the two files do not fit each other, or answers are no texts."""
    num = len(found["instance_ids"])
    tested = {row["name"] for row in results["models"] if "test" in row}
    if (found["task"]["name"], num, set(found["models"])) != (results["target"], results["n"]["test"], tested):
        raise DataError(f"{path}: {RESULTS} and {TEST_PREDICTIONS} are not of the same study: run it again")
    if found["task"]["kind"] not in get_args(Kind):
        kinds = ", ".join(get_args(Kind))
        raise DataError(f"{path}: unknown kind of answers '{found['task']['kind']}', expected {kinds}")
    for name, answers in found["models"].items():
        if len(answers) != num or not all(isinstance(answer, str) for answer in answers):
            raise DataError(f"{path}: {name} must have a text for each of {num} test instances")
