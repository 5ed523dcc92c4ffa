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
        """That of models' answers to all tasks' test instances."""
        parts = {
            name: {
                task: scorer.parts[task].evaluate(answers) for task, answers in scorer.split(each.predictions).items()
            }
            for name, each in evaluations.items()
        }
        scorers = dict(scorer.scorer.parts)
        resampled: dict[str, dict[str, Resampled]] = {name: {} for name in parts}
        for task in scorers:
            defined = {name: own[task] for name, own in parts.items() if not own[task].undefined}
            drawn = _resampled(list(defined.values()), scorer=scorers[task], seed=derive(seed, task))
            for name, scores in zip(defined, drawn, strict=True):
                resampled[name][task] = scores
        return cls(parts, resampled, scorers)

    def intervals(self, name: str) -> dict[str, Any]:
        """The 95 % intervals of a model's test scores: `tasks`, and `mean` where all of them are defined."""
        own = self.resampled[name]
        found: dict[str, Any] = {"tasks": {task: list(interval(scores)) for task, scores in own.items()}}
        return found | ({"mean": list(interval(_mean(own)))} if len(own) == len(self.scorers) else {})

    def difference(self, name: str, *, others: Mapping[str, str]) -> dict[str, Any]:
        """A model's test scores minus other models', each on one task; what is undefined is left out.

        `tasks` and `mean` have what `delta` says of a difference; tasks have `p_holm`, too, Holm's correction over
        them. `mean` is there where every task is, and `others` by task say what was compared with.
        """
        tasks = {task: self._difference(name, other, task=task) for task, other in others.items()}
        known = {task: found for task, found in tasks.items() if found}
        adjusted = holm({task: found["p"] for task, found in known.items()})
        told: dict[str, Any] = {
            "others": dict(others),
            "tasks": {t: {**known[t], "p_holm": adjusted[t]} for t in known},
        }
        if len(known) < len(self.scorers):
            return told
        theirs = {task: self.resampled[other][task] for task, other in others.items()}
        mean = sum(found["delta"] for found in known.values()) / len(known)
        return told | {"mean": summarize_difference(mean, resampled=_mean(self.resampled[name]) - _mean(theirs))}

    def _difference(self, name: str, other: str, *, task: str) -> dict[str, Any]:
        ours, theirs = self.parts[name][task], self.parts[other][task]
        if ours.undefined or theirs.undefined:
            return {}
        right = [self.scorers[task].is_correct(each.counts) for each in (ours, theirs)]
        exact = None if right[0] is None or right[1] is None else mcnemar(right[0], right[1])
        resampled = self.resampled[name][task] - self.resampled[other][task]
        return summarize_difference(ours.score - theirs.score, resampled=resampled, exact=exact)


def _resampled(evaluations: Sequence[Evaluation], *, scorer: Scorer, seed: int) -> list[Resampled]:
    """Each model's scores, all of them in the same resamples."""
    generator = np.random.default_rng(derive(seed, "delta"))
    blocks: list[list[Resampled]] = [[] for _ in evaluations]
    for _ in range(RESAMPLES // _BLOCK if evaluations else 0):
        weights = resampling_weights(len(evaluations[0].counts), resamples=_BLOCK, generator=generator)
        for block, each in zip(blocks, evaluations, strict=True):
            block.append(resampled_scores(each.counts, score=scorer.score, weights=weights))
    return [np.concatenate(block) for block in blocks]


def _mean(by_task: Mapping[str, Resampled]) -> Resampled:
    return np.asarray(np.mean(list(by_task.values()), axis=0))
