"""A search's trials on disk, each safe as soon as it is evaluated.

Two files in one folder: `trials.jsonl` holds a line per trial with its coefficients and scores, `predictions.jsonl` one
with its answers. A pruned trial has a bound and no score (null), and null for the instances that were not answered.
Predictions are written and synced before their trial, so a process that is killed leaves at most one torn line at the
end of either file; reading cuts it off. `sums.txt` beside them holds a digest of each trial's two lines.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
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
from jaxtyping import Float

from dfwe.errors import MetricError, StoreError
from dfwe.io.files import decoded
from dfwe.io.strict_json import loads
from dfwe.records import Coefficients, Evaluation, PartialEvaluation, PrunedTrial, Trial, TrialKind

log = logging.getLogger(__name__)

Evaluate = Callable[[tuple[str, ...]], Evaluation]
ComputeBound = Callable[[tuple[str | None, ...]], float]

_REMEDY = "the journal, the data or the metric was changed; delete both files of the journal to search again"
_SUM_LENGTH = 65  # 64 hexadecimal digits and the line's end


class Journal:
    """Hold the trials of one search in their order; opening it reads them and cuts a torn end off.

    Counts are not stored: `evaluate_predictions` recomputes them from the answers. `bound_predictions` computes the
    bound of a pruned trial's answers. With `keep_label_scores`, label scores stand beside the answers, 4 bytes each,
    for a search that learns from them.

    Raises:
        StoreError: a line other than the last is broken or changed, the files do not belong together, or the score of
            some answers has changed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        evaluate_predictions: Evaluate,
        bound_predictions: ComputeBound | None = None,
        keep_label_scores: bool = False,
    ) -> None:
        self._trials_file, self._predictions_file = folder / "trials.jsonl", folder / "predictions.jsonl"
        self._sums_file = folder / "sums.txt"
        self._evaluate, self._bound, self._keeps = evaluate_predictions, bound_predictions, keep_label_scores
        self._trials: dict[int, Trial | PrunedTrial] = {}
        trials, predictions = _read_lines(self._trials_file), _read_lines(self._predictions_file)
        if abs(len(trials) - len(predictions)) > 1:
            raise StoreError(
                f"{self._trials_file} has {len(trials)} trials, but {self._predictions_file.name} has answers "
                f"for {len(predictions)}; {_REMEDY}"
            )
        pairs = list(zip(trials, predictions, strict=False))
        for file, lines in ((self._trials_file, trials), (self._predictions_file, predictions)):
            if file.exists():
                os.truncate(file, sum(map(len, lines[: len(pairs)])))
        for line, pair in enumerate(pairs, 1):
            record, answers = (_parse_line(content, where=str(folder), line=line) for content in pair)
            self._add(record, answers=answers, line=line)
        self._check_sums([_sum(trial, answers) for trial, answers in pairs])

    @property
    def trials(self) -> tuple[Trial | PrunedTrial, ...]:
        """All trials so far."""
        return tuple(self._trials.values())

    def get(self, number: int) -> Trial | PrunedTrial | None:
        """Return the trial of that number, None if it was not evaluated yet."""
        return self._trials.get(number)

    def append(self, trial: Trial | PrunedTrial) -> None:
        """Write a trial; it is on disk when this returns."""
        assert trial.number not in self._trials, f"trial {trial.number} is journalled already"
        record: dict[str, Any] = {"number": trial.number, "predictions": trial.evaluation.predictions}
        if self._keeps and isinstance(trial, Trial) and trial.evaluation.label_scores is not None:
            record["label_scores"] = encode_scores(trial.evaluation.label_scores)
        answers, line = (json.dumps(content).encode() + b"\n" for content in (record, trial_record(trial)))
        self._trials_file.parent.mkdir(parents=True, exist_ok=True)
        _append(self._predictions_file, answers)
        _append(self._trials_file, line)
        _append(self._sums_file, _sum(line, answers))
        self._trials[trial.number] = trial

    def _add(self, record: dict[str, Any], *, answers: dict[str, Any], line: int) -> None:
        where = f"{self._trials_file}, line {line}"
        try:
            kinds: dict[str, TrialKind] = {kind: kind for kind in get_args(TrialKind)}
            number, kind, seconds = int(record["number"]), kinds[record["kind"]], float(record["seconds"])
            coefficients = Coefficients(tuple(record["coefficients"]), tuple(record["coefficients"].values()))
            number_of_answers, predictions = int(answers["number"]), tuple(answers["predictions"])
            evaluation = _parse(record, predictions=predictions, label_scores=answers.get("label_scores"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"{where}: this is not a trial of a search ({error!r}); {_REMEDY}") from error
        if number_of_answers != number or number in self._trials:
            raise StoreError(f"{where}: trial {number} stands beside the answers of {number_of_answers}; {_REMEDY}")
        if isinstance(evaluation, PartialEvaluation):
            self._check_bound(evaluation, where=where)
            self._trials[number] = PrunedTrial(number, kind, coefficients, evaluation, seconds=seconds)
        else:
            evaluation = self._with_counts(evaluation, where=where)
            self._trials[number] = Trial(number, kind, coefficients, evaluation, seconds=seconds)

    def _with_counts(self, stored: Evaluation, *, where: str) -> Evaluation:
        """Return the stored score, to the last bit, so that a search repeats its points; with counts from now."""
        with _metric_errors(where):
            now = self._evaluate(stored.predictions)
        if not _is_close(now.score, stored.score):
            raise StoreError(f"{where}: the score is {stored.score}, but its answers score {now.score} now; {_REMEDY}")
        return dataclasses.replace(stored, counts=now.counts, undefined=now.undefined)

    def _check_bound(self, stored: PartialEvaluation, *, where: str) -> None:
        if self._bound is None:
            raise StoreError(f"{where}: the trial was stopped, and this search stops none; {_REMEDY}")
        with _metric_errors(where):
            now = self._bound(stored.predictions)
        if not _is_close(now, stored.bound):
            raise StoreError(f"{where}: the bound is {stored.bound}, but that of its answers is {now} now; {_REMEDY}")

    def _check_sums(self, expected: list[bytes]) -> None:
        """Compare the trials with their digests: a byte that a disk changed may still make a good line.

        Missing digests at the end (a process was killed before it wrote them, or the journal is older than digests) are
        added. Surplus and torn ones are cut.
        """
        content = self._sums_file.read_bytes() if self._sums_file.exists() else b""
        lines = [content[begin : begin + _SUM_LENGTH] for begin in range(0, len(content), _SUM_LENGTH)]
        lines = [line for line in lines if len(line) == _SUM_LENGTH][: len(expected)]
        for number, (line, wanted) in enumerate(zip(lines, expected, strict=False), 1):
            if line != wanted:
                raise StoreError(
                    f"{self._trials_file}, line {number}: it or its answers were changed on disk; {_REMEDY}"
                )
        if content:
            os.truncate(self._sums_file, len(lines) * _SUM_LENGTH)
        for line in expected[len(lines) :]:
            _append(self._sums_file, line)


def trial_record(trial: Trial | PrunedTrial) -> dict[str, Any]:
    """Return a trial as JSON, without its answers."""
    evaluation = trial.evaluation
    scores: dict[str, Any]
    if isinstance(evaluation, PartialEvaluation):
        scores = {"score": None, "metrics": {}, "bound": evaluation.bound, "answered": evaluation.num_answered}
    else:
        scores = {**evaluation.scores, "score": evaluation.score}  # undefined metrics count as 0 for the search
    head = {"number": trial.number, "kind": trial.kind, "coefficients": trial.coefficients.as_dict()}
    return {**head, **scores, "seconds": trial.seconds}


def _parse(
    record: dict[str, Any], *, predictions: tuple[str | None, ...], label_scores: Mapping[str, Any] | None
) -> Evaluation | PartialEvaluation:
    """Parse a trial's evaluation, without counts; a pruned one's line has a bound in place of a score."""
    if record["score"] is None:
        partial = PartialEvaluation(float(record["bound"]), predictions)
        if partial.num_answered != record["answered"]:
            raise ValueError(f"{record['answered']} answered, but {partial.num_answered} answers")
        return partial
    answers = tuple(answer for answer in predictions if answer is not None)
    if len(answers) != len(predictions):
        raise ValueError("a score, but not all answers")
    metrics = {name: 0.0 if value is None else value for name, value in record["metrics"].items()}
    scores = None if label_scores is None else _decode_scores(label_scores)
    if scores is not None and len(scores) != len(answers):
        raise ValueError(f"{len(answers)} answers, but label scores of {len(scores)}")
    return Evaluation(float(record["score"]), metrics, answers, np.zeros((len(answers), 0)), scores)


@contextmanager
def _metric_errors(where: str) -> Iterator[None]:
    """Report an error of the metric with the journal's line."""
    try:
        yield
    except MetricError as error:
        raise StoreError(f"{where}: its answers cannot be scored: {error}; {_REMEDY}") from error


def _is_close(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-12)


def _read_lines(path: Path) -> list[bytes]:
    """Return the file's lines, ends included, without a torn last one; none if there is no file."""
    content = path.read_bytes() if path.exists() else b""
    lines = [line for line in re.split(rb"(?<=\n)", content) if line]
    broken = [number for number, line in enumerate(lines, 1) if not _is_whole(line)]
    if broken and broken[0] < len(lines):
        raise StoreError(f"{path}, line {broken[0]}: this is not a JSON object; {_REMEDY}")
    if broken:
        log.warning("%s: the last line is torn, its trial will be evaluated again", path)
    return lines[: len(lines) - len(broken)]


def _is_whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(_parse_line(line, where="", line=1), dict)
    except StoreError:
        return False


def _parse_line(content: bytes, *, where: str, line: int) -> Any:
    return loads(decoded(content, where=where, error=StoreError), where=where, line=line, error=StoreError)


def _append(path: Path, line: bytes) -> None:
    """Append a line, and wait until it is on disk."""
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _sum(trial: bytes, answers: bytes) -> bytes:
    """Return the line with the digest of a trial's two lines."""
    return hashlib.sha256(trial + answers).hexdigest().encode() + b"\n"


def encode_scores(scores: Float[np.ndarray, "examples labels"]) -> dict[str, Any]:
    """Encode label scores for JSON, to the last bit: their shape, and little-endian float32 numbers in base 64."""
    return {"shape": list(scores.shape), "float32": base64.b64encode(scores.astype("<f4").tobytes()).decode()}


def _decode_scores(record: Mapping[str, Any]) -> Float[np.ndarray, "examples labels"]:
    """Decode label scores; raise KeyError, TypeError or ValueError if the record is malformed."""
    numbers = np.frombuffer(base64.b64decode(record["float32"], validate=True), dtype="<f4")
    num_examples, num_labels = record["shape"]
    return numbers.reshape(num_examples, num_labels).astype(np.float32)
