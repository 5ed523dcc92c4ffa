"""How many true evaluations a search with a surrogate needs for the dev score of one without, over studies' seeds.

    python benchmarks/surrogate.py +target=meld [--seeds 20] [--few 10] [overrides ...]

Each seed is a study of its own, `seed=0` and so on: its experts are trained, or found in the store. It searches three
times: with `merge.search.budget` evaluations and no surrogate, with `--few` and none, and with `--few` and
`merge/surrogate=logits`. Overrides are the command's own. Prints one JSON line: what each seed found, the
evaluations that were needed for the best dev score of the first search (the uniform mixture is one; a score that was
not reached counts as `--few` + 1, and an expert that is the best of all as 0), their medians, and mean dev and test
scores with their differences to the first search and the standard errors of these over seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from hydra import compose, initialize_config_dir

from dfwe.conf import conf_dir
from dfwe.config.task_options import register
from dfwe.stages.merge import MergeStage
from dfwe.stages.merge_search import TRIALS
from dfwe.studies.plan import plan_study
from dfwe.studies.study import Study

_SAME = 1e-12
_LONG, _FEW, _SURROGATE = "long", "few", "surrogate"


def planned(overrides: Sequence[str]) -> Study:
    """The study, planned and not run."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plan_study(compose("config", overrides=list(overrides)))


def searched(stage: MergeStage) -> dict[str, Any]:
    """The scores of a search's candidates in their order, the best of them and the experts', and what was picked."""
    entry = stage.result(stage.family.context.store)
    trials = [json.loads(line) for line in entry.file(TRIALS).read_text().splitlines()]
    scores = [trial["score"] for trial in trials if trial["kind"] != "bagged"]
    experts = max(expert.dev(expert.result(stage.family.context.store)).score for expert in stage.experts.values())
    scorer = stage.family.scorer(stage.target, split="test")
    return {
        "experts": experts,
        "best": max(experts, *scores),
        "scores": scores,
        "dev": entry.card.result["dev"]["score"],
        "test": scorer(stage.model(entry), exact=True).score,
        "surrogate": entry.card.result.get("surrogate"),
    }


def compared(seed: int, *, few: int, overrides: Sequence[str]) -> dict[str, Any]:
    """One study's searches, and the evaluations each needed for the best score of the long one."""
    shorter = f"merge.search.budget={few}"
    ways = {_LONG: [], _FEW: [shorter], _SURROGATE: [shorter, "merge/surrogate=logits"]}
    found: dict[str, Any] = {"seed": seed}
    for way, more in ways.items():
        study = planned([*overrides, f"seed={seed}", *more])
        for stage in study.pretraining:
            stage.result(study.family.context.store)
        assert study.headline is not None
        found[way] = searched(study.merges[study.headline])
    best = found[_LONG]["best"]
    return found | {"needed": {way: needed(found[way], best=best) for way in ways}}


def needed(search: Mapping[str, Any], *, best: float) -> int:
    """The number of evaluations at which the best score is reached."""
    if search["experts"] >= best - _SAME:
        return 0
    reached = [number for number, score in enumerate(search["scores"], 1) if score >= best - _SAME]
    return reached[0] if reached else len(search["scores"]) + 1


def summary(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians and means over the seeds."""
    return {
        way: {
            "needed": [each["needed"][way] for each in found],
            "median_needed": statistics.median(each["needed"][way] for each in found),
            **{key: _means(found, way=way, key=key) for key in ("best", "dev", "test")},
        }
        for way in (_LONG, _FEW, _SURROGATE)
    }


def _means(found: Sequence[Mapping[str, Any]], *, way: str, key: str) -> dict[str, float]:
    differences = [each[way][key] - each[_LONG][key] for each in found]
    return {
        "mean": statistics.mean(each[way][key] for each in found),
        "difference": statistics.mean(differences),
        "standard_error": statistics.stdev(differences) / len(found) ** 0.5 if len(found) > 1 else 0.0,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--few", type=int, default=10)
    options, overrides = parser.parse_known_args()
    register()
    found = [compared(seed, few=options.few, overrides=overrides) for seed in range(options.seeds)]
    print(json.dumps({"summary": summary(found), "studies": found}))


if __name__ == "__main__":
    main()
