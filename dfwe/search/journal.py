"""A search's trials on disk, each safe as soon as it is made.

Two files in one folder: `trials.jsonl` holds a line per trial with its coefficients and scores,
`predictions.jsonl` one with its answers. A stopped trial has no score (null) but a bound, and null for the
instances that were not answered. Predictions are written and synced before their trial, so a process
that is killed leaves at most one torn line at the end of either; reading cuts that off. `sums.txt` beside them holds
a digest of each trial's two lines.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np

from dfwe.errors import MetricError, StoreError
from dfwe.io.strict_json import loads
from dfwe.io.text_files import decoded
from dfwe.records import Coefficients, Evaluation, Stopped, StoppedTrial, Trial, TrialKind
from dfwe.search.packed import packed, unpacked
from dfwe.search.sums import add_sum, first_changed, sum_of

log = logging.getLogger(__name__)

Evaluate = Callable[[tuple[str, ...]], Evaluation]
BoundOf = Callable[[tuple[str | None, ...]], float]

_REMEDY = "the journal, the data or the metric was changed; delete both files of the journal to search again"


class Journal:
    """The trials of one search, in the order of their making; opening it reads them and cuts a torn end off.

    Counts are not stored: `evaluate_predictions` recomputes them from the answers. `bound_predictions` gives the bound
    of a stopped trial's answers. Label scores stand beside the answers if `keep_label_scores`, 4 bytes each: for a
    search that learns from them.

    Raises:
        StoreError: a line other than the last is broken or changed, the files do not belong together, or answers score
            otherwise than they did.
    """

    def __init__(
        self,
        folder: Path,
        *,
        evaluate_predictions: Evaluate,
        bound_predictions: BoundOf | None = None,
        keep_label_scores: bool = False,
    ) -> None:
        self._trials_file = folder / "trials.jsonl"
        self._predictions_file = folder / "predictions.jsonl"
        trials, predictions = _read_lines(self._trials_file), _read_lines(self._predictions_file)
        length = self._common_length(len(trials), len(predictions))
        _cut(self._trials_file, lines=trials[:length])
        _cut(self._predictions_file, lines=predictions[:length])
        self._evaluate, self._bound, self._keeps = evaluate_predictions, bound_predictions, keep_label_scores
        self._trials: dict[int, Trial | StoppedTrial] = {}
        for line, (trial, answers) in enumerate(zip(trials[:length], predictions[:length], strict=True), 1):
            record, said = (_parsed(each, where=str(self._trials_file.parent), line=line) for each in (trial, answers))
            self._take(record, answers=said, line=line)
        self._sums_file = folder / "sums.txt"
        sums = [sum_of(trial, answers=answers) for trial, answers in zip(trials, predictions, strict=False)]
        changed = first_changed(self._sums_file, expected=sums)
        if changed is not None:
            raise StoreError(f"{self._trials_file}, line {changed}: it or its answers were changed on disk; {_REMEDY}")

    @property
    def trials(self) -> tuple[Trial | StoppedTrial, ...]:
        """All trials so far."""
        return tuple(self._trials.values())

    def get(self, number: int) -> Trial | StoppedTrial | None:
        """The trial of that number, None where it was not made yet."""
        return self._trials.get(number)

    def append(self, trial: Trial | StoppedTrial) -> None:
        """Write a trial; it is on disk when this returns."""
        assert trial.number not in self._trials, f"trial {trial.number} is journalled already"
        answers = {"number": trial.number, "predictions": trial.evaluation.predictions}
        told = _append_line(self._predictions_file, record=answers | (_label_scores(trial) if self._keeps else {}))
        add_sum(self._sums_file, sum_of(_append_line(self._trials_file, record=trial_record(trial)), answers=told))
        self._trials[trial.number] = trial

    def _common_length(self, num_trials: int, num_predictions: int) -> int:
        if abs(num_trials - num_predictions) > 1:
            raise StoreError(
                f"{self._trials_file} has {num_trials} trials, but {self._predictions_file.name} has answers "
                f"for {num_predictions}; {_REMEDY}"
            )
        return min(num_trials, num_predictions)

    def _take(self, record: dict[str, Any], *, answers: dict[str, Any], line: int) -> None:
        where = f"{self._trials_file}, line {line}"
        try:
            number, kind, seconds = int(record["number"]), _kind(record["kind"]), float(record["seconds"])
            coefficients = Coefficients(tuple(record["coefficients"]), tuple(record["coefficients"].values()))
            others, predictions = int(answers["number"]), tuple(answers["predictions"])
            told = _told(record, predictions=predictions, label_scores=answers.get("label_scores"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"{where}: this is not a trial of a search ({error!r}); {_REMEDY}") from error
        if others != number or number in self._trials:
            raise StoreError(f"{where}: trial {number} stands beside the answers of {others}; {_REMEDY}")
        if isinstance(told, Stopped):
            self._check_bound(told, where=where)
            self._trials[number] = StoppedTrial(number, kind, coefficients, told, seconds=seconds)
        else:
            told = self._with_counts(told, where=where)
            self._trials[number] = Trial(number, kind, coefficients, told, seconds=seconds)

    def _with_counts(self, told: Evaluation, *, where: str) -> Evaluation:
        """The score that the search was told, to the last bit, so that it asks the same again; the rest from now."""
        with _scoring(where):
            now = self._evaluate(told.predictions)
        if not _same(now.score, told.score):
            raise StoreError(f"{where}: the score is {told.score}, but its answers score {now.score} now; {_REMEDY}")
        return dataclasses.replace(told, counts=now.counts, undefined=now.undefined)

    def _check_bound(self, told: Stopped, *, where: str) -> None:
        if self._bound is None:
            raise StoreError(f"{where}: the trial was stopped, and this search stops none; {_REMEDY}")
        with _scoring(where):
            now = self._bound(told.predictions)
        if not _same(now, told.bound):
            raise StoreError(f"{where}: the bound is {told.bound}, but that of its answers is {now} now; {_REMEDY}")


def trial_record(trial: Trial | StoppedTrial) -> dict[str, Any]:
    """A trial as JSON holds it: without its answers."""
    told = trial.evaluation
    scores: dict[str, Any]
    if isinstance(told, Stopped):
        scores = {"score": None, "metrics": {}, "bound": told.bound, "answered": told.num_answered}
    else:
        scores = {**told.scores, "score": told.score}  # undefined metrics count as 0 for the search
    head = {"number": trial.number, "kind": trial.kind, "coefficients": trial.coefficients.as_dict()}
    return {**head, **scores, "seconds": trial.seconds}


def _label_scores(trial: Trial | StoppedTrial) -> dict[str, Any]:
    scores = None if isinstance(trial, StoppedTrial) else trial.evaluation.label_scores
    return {} if scores is None else {"label_scores": packed(scores)}


def _told(
    record: Mapping[str, Any], *, predictions: tuple[str | None, ...], label_scores: Mapping[str, Any] | None
) -> Evaluation | Stopped:
    """What a trial's evaluation gave, without counts; a stopped one's line has a bound in place of a score."""
    if record["score"] is None:
        stopped = Stopped(float(record["bound"]), predictions)
        if stopped.num_answered != record["answered"]:
            raise ValueError(f"{record['answered']} answered, but {stopped.num_answered} answers")
        return stopped
    answers = tuple(answer for answer in predictions if answer is not None)
    if len(answers) != len(predictions):
        raise ValueError("a score, but not all answers")
    metrics = {name: 0.0 if value is None else value for name, value in record["metrics"].items()}
    scores = None if label_scores is None else unpacked(label_scores)
    if scores is not None and len(scores) != len(answers):
        raise ValueError(f"{len(answers)} answers, but label scores of {len(scores)}")
    counts = np.zeros((len(answers), 0))
    return Evaluation(float(record["score"]), metrics, answers, counts, scores)


@contextmanager
def _scoring(where: str) -> Iterator[None]:
    try:
        yield
    except MetricError as error:
        raise StoreError(f"{where}: its answers cannot be scored: {error}; {_REMEDY}") from error


def _same(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-12)


def _kind(name: str) -> TrialKind:
    known: dict[str, TrialKind] = {kind: kind for kind in get_args(TrialKind)}
    return known[name]


def _read_lines(path: Path) -> list[bytes]:
    """The file's lines, ends included, without a torn last one; none where there is no file."""
    content = path.read_bytes() if path.exists() else b""
    lines = [line for line in re.split(rb"(?<=\n)", content) if line]
    broken = [number for number, line in enumerate(lines, 1) if not _is_whole(line)]
    if broken and broken[0] < len(lines):
        raise StoreError(f"{path}, line {broken[0]}: this is not a JSON object; {_REMEDY}")
    if broken:
        log.warning("%s: the last line is torn, its trial will be made again", path)
    return lines[: len(lines) - len(broken)]


def _is_whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(_parsed(line, where="", line=1), dict)
    except StoreError:
        return False


def _parsed(content: bytes, *, where: str, line: int) -> Any:
    return loads(decoded(content, where=where, error=StoreError), where=where, line=line, error=StoreError)


def _cut(path: Path, *, lines: list[bytes]) -> None:
    """Shorten the file to these lines, its first."""
    if path.exists():
        os.truncate(path, sum(map(len, lines)))


def _append_line(path: Path, *, record: Mapping[str, Any]) -> bytes:
    """Add a line and wait until it is on disk; returns it."""
    line = json.dumps(record).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return line
