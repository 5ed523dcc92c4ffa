"""A search's trials on disk, each safe as soon as it is made.

Two files in one folder: `trials.jsonl` holds a line per trial with its coefficients and scores,
`predictions.jsonl` one with its answers. Predictions are written and synced before their trial, so a process
that is killed leaves at most one torn line at the end of either; reading cuts that off.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from dfwe.errors import MetricError, StoreError
from dfwe.records import Coefficients, Evaluation, Trial, TrialKind

log = logging.getLogger(__name__)

Evaluate = Callable[[tuple[str, ...]], Evaluation]

_REMEDY = "the journal, the data or the metric was changed; delete both files of the journal to search again"


class Journal:
    """The trials of one search, in the order of their making; opening it reads them and cuts a torn end off.

    Counts are not stored: `evaluate_predictions` recomputes them from the answers.

    Raises:
        StoreError: a line other than the last is broken, the files do not belong together, or answers score
            otherwise than they did.
    """

    def __init__(self, folder: Path, *, evaluate_predictions: Evaluate) -> None:
        self._trials_file = folder / "trials.jsonl"
        self._predictions_file = folder / "predictions.jsonl"
        trials, predictions = _read_lines(self._trials_file), _read_lines(self._predictions_file)
        length = self._common_length(len(trials), len(predictions))
        _cut(self._trials_file, lines=trials[:length])
        _cut(self._predictions_file, lines=predictions[:length])
        self._trials: dict[int, Trial] = {}
        for line, (trial, answers) in enumerate(zip(trials[:length], predictions[:length], strict=True), 1):
            self._take(json.loads(trial), answers=json.loads(answers), evaluate=evaluate_predictions, line=line)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials so far."""
        return tuple(self._trials.values())

    def get(self, number: int) -> Trial | None:
        """The trial of that number, None where it was not made yet."""
        return self._trials.get(number)

    def append(self, trial: Trial) -> None:
        """Write a trial; it is on disk when this returns."""
        assert trial.number not in self._trials, f"trial {trial.number} is journalled already"
        answers = {"number": trial.number, "predictions": trial.evaluation.predictions}
        _append_line(self._predictions_file, record=answers)
        _append_line(self._trials_file, record=trial_record(trial))
        self._trials[trial.number] = trial

    def _common_length(self, num_trials: int, num_predictions: int) -> int:
        if abs(num_trials - num_predictions) > 1:
            raise StoreError(
                f"{self._trials_file} has {num_trials} trials, but {self._predictions_file.name} has answers "
                f"for {num_predictions}; {_REMEDY}"
            )
        return min(num_trials, num_predictions)

    def _take(self, record: dict[str, Any], *, answers: dict[str, Any], evaluate: Evaluate, line: int) -> None:
        where = f"{self._trials_file}, line {line}"
        try:
            number, score, metrics = int(record["number"]), float(record["score"]), dict(record["metrics"])
            coefficients = Coefficients(tuple(record["coefficients"]), tuple(record["coefficients"].values()))
            kind, seconds = _kind(record["kind"]), float(record["seconds"])
            others, predictions = int(answers["number"]), tuple(answers["predictions"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"{where}: this is not a trial of a search ({error!r}); {_REMEDY}") from error
        if others != number or number in self._trials:
            raise StoreError(f"{where}: trial {number} stands beside the answers of {others}; {_REMEDY}")
        now = _evaluated(predictions, evaluate=evaluate, where=where)
        if not math.isclose(now.score, score, rel_tol=1e-9, abs_tol=1e-12):
            raise StoreError(f"{where}: the score is {score}, but its answers score {now.score} now; {_REMEDY}")
        # The score that the search was told, to the last bit, so that it asks the same again.
        told = dataclasses.replace(now, score=score, metrics=metrics)
        self._trials[number] = Trial(number, kind, coefficients, told, seconds=seconds)


def trial_record(trial: Trial) -> dict[str, Any]:
    """A trial as JSON holds it: without its answers."""
    return {
        "number": trial.number,
        "kind": trial.kind,
        "coefficients": trial.coefficients.as_dict(),
        "score": trial.evaluation.score,
        "metrics": dict(trial.evaluation.metrics),
        "seconds": trial.seconds,
    }


def _kind(name: str) -> TrialKind:
    known: dict[str, TrialKind] = {kind: kind for kind in get_args(TrialKind)}
    return known[name]


def _evaluated(predictions: tuple[str, ...], *, evaluate: Evaluate, where: str) -> Evaluation:
    try:
        return evaluate(predictions)
    except MetricError as error:
        raise StoreError(f"{where}: its answers cannot be scored: {error}; {_REMEDY}") from error


def _read_lines(path: Path) -> list[bytes]:
    """The file's lines, ends included, without a torn last one; none where there is no file."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    broken = [number for number, line in enumerate(lines, 1) if not _is_whole(line)]
    if broken and broken[0] < len(lines):
        raise StoreError(f"{path}, line {broken[0]}: this is not a JSON object; {_REMEDY}")
    if broken:
        log.warning("%s: the last line is torn, its trial will be made again", path)
    return lines[: len(lines) - len(broken)]


def _is_whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _cut(path: Path, *, lines: list[bytes]) -> None:
    """Shorten the file to these lines, its first."""
    if path.exists():
        os.truncate(path, sum(map(len, lines)))


def _append_line(path: Path, *, record: Mapping[str, Any]) -> None:
    """Add a line and wait until it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(json.dumps(record).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
