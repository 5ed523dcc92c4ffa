"""Measure whether dev examples held out of the search give a better merge, or a more honest number, over seeds.

    python benchmarks/holdout.py +target=meld [--seeds 20] [overrides ...]

Each seed is a study of its own, `seed=0` and so on: its experts are trained, or found in the store, and so are merges,
so that a killed run goes on. It merges in each of `WAYS`. Prints one JSON line: of each way the mean dev and test score
over seeds, the differences of test to the first way with their standard error, `told` (the score that a user would
quote before any test: the holdout's if there is one, dev otherwise) and how far that is above test; beside them the
uniform mixture and the best expert by dev; and each seed's numbers.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from seeds import mean_with_error, run_seeds

from dfwe.conf import conf_dir
from dfwe.stages.merge import MergeStage
from dfwe.studies.plan import plan_study
from dfwe.studies.study import Study

WAYS = {
    "all of dev": (),
    "all of dev, argmax": ("merge/selection=argmax",),
    "split": ("merge/holdout=split",),
    "k-fold": ("merge/holdout=k_fold",),
}


def planned(overrides: Sequence[str]) -> Study:
    """The study, planned and not run."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plan_study(compose("config", overrides=list(overrides)))


def merged(stage: MergeStage) -> dict[str, Any]:
    """What the merge scores, and what was told of it before."""
    entry = stage.result(stage.family.context.store)
    result = entry.card.result
    scorer = stage.family.scorer(stage.target, split="test")
    confirmation = result.get("holdout", {})
    return {
        "dev": result["dev"]["score"],
        "told": confirmation.get("score", result["dev"]["score"]),
        "test": scorer(stage.model(entry), exact=True).score,
        "evaluations": result["evaluations"],
    }


def one_seed(seed: int, *, overrides: Sequence[str]) -> dict[str, dict[str, Any]]:
    """All ways' merges, the uniform mixture and the best expert of one study."""
    found: dict[str, dict[str, Any]] = {}
    for way, more in WAYS.items():
        study = planned([*overrides, f"seed={seed}", *more])
        store = study.family.context.store
        for stage in study.pretraining:
            stage.result(store)
        assert study.headline is not None
        found[way] = merged(study.merges[study.headline])
        print(f"seed {seed} {way}: {found[way]}", file=sys.stderr, flush=True)
    found["uniform"] = merged(study.merges["uniform"])
    best = max(study.experts.values(), key=lambda stage: stage.dev(stage.result(store)).score)
    dev = best.dev(best.result(store)).score
    scorer = study.family.scorer(study.target, split="test")
    test = scorer(best.model(best.result(store)), exact=True).score
    return found | {"best expert": {"dev": dev, "told": dev, "test": test, "evaluations": 0}}


def summary(found: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Means over the seeds."""
    first = next(iter(WAYS))
    return {
        way: {
            **{key: round(statistics.mean(each[way][key] for each in found), 4) for key in ("dev", "test", "told")},
            "to_first": mean_with_error([each[way]["test"] - each[first]["test"] for each in found], digits=4),
            "told_above_test": mean_with_error([each[way]["told"] - each[way]["test"] for each in found], digits=4),
            "evaluations": statistics.median(each[way]["evaluations"] for each in found),
        }
        for way in found[0]
    }


if __name__ == "__main__":
    run_seeds(__doc__, one_seed=one_seed, summary=summary, num_seeds=20)
