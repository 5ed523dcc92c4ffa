"""Compare models on several tasks: intervals and differences of each task, and of the tasks' mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dfwe.families.scorer import MeanScorer
from dfwe.metrics.comparison import RESAMPLES, summarize_difference
from dfwe.metrics.scorer import Scorer
from dfwe.metrics.statistics import holm, interval, mcnemar, resampled_scores, resampling_weights
from dfwe.records import Evaluation
from dfwe.seeding import derive

_BLOCK = 100  # resamples drawn at a time: of a test set of 80,000 instances all of them would take 640 MB
Resampled = Float[np.ndarray, " resamples"]


@dataclass(frozen=True)
class PairedComparison:
    """Every model's test scores in the same resamples of the test instances, by task.

    Each task's instances are resampled by themselves (a stratified bootstrap: the test sets keep their sizes), so that
    a resample of the mean is the mean of the tasks' resamples. A task for which a model's score is undefined is left
    out of its `resampled`, and then it has no mean.
    """

    parts: Mapping[str, Mapping[str, Evaluation]]  # by model, then by task
    resampled: Mapping[str, Mapping[str, Resampled]]
    scorers: Mapping[str, Scorer]

    @classmethod
    def of(cls, evaluations: Mapping[str, Evaluation], *, scorer: MeanScorer, seed: int) -> PairedComparison:
        """Return the comparison of models' answers to all tasks' test instances."""
        parts = {
            name: {
                task: scorer.parts[task].evaluate(answers)
                for task, answers in scorer.split(evaluation.predictions).items()
            }
            for name, evaluation in evaluations.items()
        }
        scorers = dict(scorer.scorer.parts)
        resampled: dict[str, dict[str, Resampled]] = {name: {} for name in parts}
        for task in scorers:
            defined = {name: by_task[task] for name, by_task in parts.items() if not by_task[task].undefined}
            scores = _resampled(list(defined.values()), scorer=scorers[task], seed=derive(seed, task))
            for name, of_model in zip(defined, scores, strict=True):
                resampled[name][task] = of_model
        return cls(parts, resampled, scorers)

    def intervals(self, name: str) -> dict[str, Any]:
        """Return the 95 % intervals of a model's test scores: `tasks`, and `mean` where all of them are defined."""
        resampled = self.resampled[name]
        intervals: dict[str, Any] = {"tasks": {task: list(interval(scores)) for task, scores in resampled.items()}}
        if len(resampled) == len(self.scorers):
            intervals["mean"] = list(interval(_mean(resampled)))
        return intervals

    def difference(self, name: str, *, others: Mapping[str, str]) -> dict[str, Any]:
        """Return a model's test scores minus other models', each on one task; what is undefined is left out.

        `tasks` and `mean` have what `delta` says of a difference; tasks have `p_holm`, too, Holm's correction over
        them. `mean` is there where every task is, and `others` by task say what was compared with.
        """
        tasks = {task: self._difference(name, other, task=task) for task, other in others.items()}
        defined = {task: difference for task, difference in tasks.items() if difference}
        adjusted = holm({task: difference["p"] for task, difference in defined.items()})
        result: dict[str, Any] = {
            "others": dict(others),
            "tasks": {task: {**defined[task], "p_holm": adjusted[task]} for task in defined},
        }
        if len(defined) < len(self.scorers):
            return result
        theirs = {task: self.resampled[other][task] for task, other in others.items()}
        mean = sum(difference["delta"] for difference in defined.values()) / len(defined)
        return result | {"mean": summarize_difference(mean, resampled=_mean(self.resampled[name]) - _mean(theirs))}

    def _difference(self, name: str, other: str, *, task: str) -> dict[str, Any]:
        ours, theirs = self.parts[name][task], self.parts[other][task]
        if ours.undefined or theirs.undefined:
            return {}
        right = [self.scorers[task].is_correct(evaluation.counts) for evaluation in (ours, theirs)]
        exact = None if right[0] is None or right[1] is None else mcnemar(right[0], right[1])
        resampled = self.resampled[name][task] - self.resampled[other][task]
        return summarize_difference(ours.score - theirs.score, resampled=resampled, exact=exact)


def _resampled(evaluations: Sequence[Evaluation], *, scorer: Scorer, seed: int) -> list[Resampled]:
    """Return each model's scores in the same resamples."""
    generator = np.random.default_rng(derive(seed, "delta"))
    blocks: list[list[Resampled]] = [[] for _ in evaluations]
    for _ in range(RESAMPLES // _BLOCK if evaluations else 0):
        weights = resampling_weights(len(evaluations[0].counts), resamples=_BLOCK, generator=generator)
        for block, evaluation in zip(blocks, evaluations, strict=True):
            block.append(resampled_scores(evaluation.counts, score=scorer.score, weights=weights))
    return [np.concatenate(block) for block in blocks]


def _mean(by_task: Mapping[str, Resampled]) -> Resampled:
    return np.asarray(np.mean(list(by_task.values()), axis=0))
