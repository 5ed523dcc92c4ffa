"""A search's trials on disk, each safe as soon as it is evaluated.

Two files in one folder: `trials.jsonl` holds a line per trial with its coefficients and scores, `predictions.jsonl` one
with its answers. A pruned trial has a bound and no score (null), and null for the instances that were not answered.
Predictions are written and synced before their trial, so a process that is killed leaves at most one torn line at the
end of either file; reading cuts it off. `sums.txt` beside them holds a digest of each trial's two lines.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np

from dfwe.errors import MetricError, StoreError
from dfwe.records import Coefficients, Evaluation, PartialEvaluation, PrunedTrial, Trial, TrialKind
from dfwe.search import journal_files as files
from dfwe.search.journal_files import REMEDY

Evaluate = Callable[[tuple[str, ...]], Evaluation]
ComputeBound = Callable[[tuple[str | None, ...]], float]


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
        trials, predictions = files.read_lines(self._trials_file), files.read_lines(self._predictions_file)
        length = self._common_length(len(trials), len(predictions))
        files.truncate_lines(self._trials_file, lines=trials[:length])
        files.truncate_lines(self._predictions_file, lines=predictions[:length])
        self._evaluate, self._bound, self._keeps = evaluate_predictions, bound_predictions, keep_label_scores
        self._trials: dict[int, Trial | PrunedTrial] = {}
        for line, pair in enumerate(zip(trials[:length], predictions[:length], strict=True), 1):
            record, answers = (files.parse_line(content, where=str(folder), line=line) for content in pair)
            self._add(record, answers=answers, line=line)
        self._checksums_file = folder / "sums.txt"
        expected = [files.checksum(trial, answers=answers) for trial, answers in zip(trials, predictions, strict=False)]
        changed = files.first_changed(self._checksums_file, expected=expected)
        if changed is not None:
            raise StoreError(f"{self._trials_file}, line {changed}: it or its answers were changed on disk; {REMEDY}")

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
            record["label_scores"] = files.encode_scores(trial.evaluation.label_scores)
        answers = files.append_record(self._predictions_file, record=record)
        line = files.append_record(self._trials_file, record=trial_record(trial))
        files.append_checksum(self._checksums_file, line, answers=answers)
        self._trials[trial.number] = trial

    def _common_length(self, num_trials: int, num_predictions: int) -> int:
        if abs(num_trials - num_predictions) > 1:
            raise StoreError(
                f"{self._trials_file} has {num_trials} trials, but {self._predictions_file.name} has answers "
                f"for {num_predictions}; {REMEDY}"
            )
        return min(num_trials, num_predictions)

    def _add(self, record: dict[str, Any], *, answers: dict[str, Any], line: int) -> None:
        where = f"{self._trials_file}, line {line}"
        try:
            number, kind, seconds = int(record["number"]), _kind(record["kind"]), float(record["seconds"])
            coefficients = Coefficients(tuple(record["coefficients"]), tuple(record["coefficients"].values()))
            number_of_answers, predictions = int(answers["number"]), tuple(answers["predictions"])
            evaluation = _parse(record, predictions=predictions, label_scores=answers.get("label_scores"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"{where}: this is not a trial of a search ({error!r}); {REMEDY}") from error
        if number_of_answers != number or number in self._trials:
            raise StoreError(f"{where}: trial {number} stands beside the answers of {number_of_answers}; {REMEDY}")
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
            raise StoreError(f"{where}: the score is {stored.score}, but its answers score {now.score} now; {REMEDY}")
        return dataclasses.replace(stored, counts=now.counts, undefined=now.undefined)

    def _check_bound(self, stored: PartialEvaluation, *, where: str) -> None:
        if self._bound is None:
            raise StoreError(f"{where}: the trial was stopped, and this search stops none; {REMEDY}")
        with _metric_errors(where):
            now = self._bound(stored.predictions)
        if not _is_close(now, stored.bound):
            raise StoreError(f"{where}: the bound is {stored.bound}, but that of its answers is {now} now; {REMEDY}")


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
    scores = None if label_scores is None else files.decode_scores(label_scores)
    if scores is not None and len(scores) != len(answers):
        raise ValueError(f"{len(answers)} answers, but label scores of {len(scores)}")
    return Evaluation(float(record["score"]), metrics, answers, np.zeros((len(answers), 0)), scores)


@contextmanager
def _metric_errors(where: str) -> Iterator[None]:
    """Report an error of the metric with the journal's line."""
    try:
        yield
    except MetricError as error:
        raise StoreError(f"{where}: its answers cannot be scored: {error}; {REMEDY}") from error


def _is_close(first: float, second: float) -> bool:
    return math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-12)


def _kind(name: str) -> TrialKind:
    kinds: dict[str, TrialKind] = {kind: kind for kind in get_args(TrialKind)}
    return kinds[name]
