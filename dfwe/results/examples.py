"""Errors worth reading: test instances on which a merge does better, or worse, than the baseline, with their text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation, Instance
from dfwe.seeding import derive

MOST = 8  # of each kind
_LONGEST = 1500  # characters of a source; its beginning is left out, for the question stands at its end


def changed(
    evaluation: Evaluation, *, baseline: Evaluation, instances: Sequence[Instance], scorer: Scorer, seed: int
) -> dict[str, Any]:
    """Return the numbers of instances that were fixed and broken, and some of each, drawn with the seed.

    An instance is fixed where its answer alone would score more than the baseline's.
    """
    ours, theirs = (np.asarray(scorer.score(answers.counts)) for answers in (evaluation, baseline))
    fixed, broke = np.flatnonzero(ours > theirs), np.flatnonzero(ours < theirs)
    generator = np.random.default_rng(derive(seed, "examples"))

    def some(places: Any) -> list[dict[str, Any]]:
        sample = np.sort(generator.permutation(places)[:MOST])
        return [
            _example(instances[place], baseline.predictions[place], evaluation.predictions[place]) for place in sample
        ]

    return {"num_fixed": len(fixed), "num_broke": len(broke), "fixed": some(fixed), "broke": some(broke)}


def _example(instance: Instance, before: str, after: str) -> dict[str, Any]:
    source = instance.source or " / ".join(instance.sentences)
    return {
        "instance_id": instance.instance_id,
        "source": source if len(source) <= _LONGEST else "… " + source[-_LONGEST:],
        "gold": list(instance.references),
        "before": before,
        "after": after,
    }
