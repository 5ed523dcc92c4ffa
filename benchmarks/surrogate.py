"""How many true evaluations a search with a surrogate needs for the dev score of one without, on trained experts.

    python benchmarks/surrogate.py +target=meld [--seeds 20] [--few 10] [overrides ...]

Experts are trained once, or found in the store; each seed then searches twice: `merge.search.budget` evaluations
without the surrogate, and `--few` with `merge.search.surrogate=logits`. Overrides are the command's own. Prints one
JSON line: the evaluations that were needed (a candidate that no search reached counts as `--few` + 1; an expert that
is the best of all counts as 0), their median, dev and test scores as means over the seeds, and the rank correlations.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from typing import Any

from hydra import compose, initialize_config_dir

from dfwe.conf import conf_dir
from dfwe.schema import register
from dfwe.stages.merge import TRIALS, MergeStage
from dfwe.stages.plan import plan_study

_SAME = 1e-12


def planned(overrides: list[str]) -> Any:
    """The study, planned and not run."""
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plan_study(compose("config", overrides=overrides))


def searched(stage: MergeStage) -> dict[str, Any]:
    """The scores of a search's candidates in their order, the best expert's, and dev and test of what was picked."""
    entry = stage.result(stage.bench.store)
    lines = entry.file(TRIALS).read_text().splitlines()
    trials = [json.loads(line) for line in lines]
    experts = [expert.dev(expert.result(stage.bench.store)).score for expert in stage.experts.values()]
    scorer = stage.bench.scorer(stage.target, split="test")
    return {
        "experts": max(experts),
        "scores": [trial["score"] for trial in trials if trial["kind"] != "bagged"],
        "dev": entry.card.result["dev"]["score"],
        "test": scorer(stage.model(entry), exact=True).score,
        "surrogate": entry.card.result.get("surrogate"),
    }


def needed(few: dict[str, Any], *, best: float) -> int:
    """The number of evaluations at which the best score is reached."""
    if few["experts"] >= best - _SAME:
        return 0
    reached = [number for number, score in enumerate(few["scores"], 1) if score >= best - _SAME]
    return reached[0] if reached else len(few["scores"]) + 1


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--few", type=int, default=10)
    options, overrides = parser.parse_known_args()
    with_it = [*overrides, "merge.search.surrogate=logits", f"merge.search.budget={options.few}"]
    studies = [planned(overrides), planned(with_it)]
    for stage in studies[0].pretraining:
        stage.result(studies[0].bench.store)
    long, short = (
        [searched(replace(study.merges[study.asked], seed=seed)) for seed in range(options.seeds)] for study in studies
    )
    best = [max(each["experts"], *each["scores"]) for each in long]
    counts = [needed(few, best=score) for few, score in zip(short, best, strict=True)]
    of_uniform = {"test": searched(studies[0].merges["uniform"])["test"]} if "uniform" in studies[0].merges else None
    print(
        json.dumps(
            {
                "needed": counts,
                "median": statistics.median(counts),
                "best_dev": {"without": statistics.mean(best), "with": _mean_best(short)},
                "dev": {"without": _mean(long, "dev"), "with": _mean(short, "dev")},
                "test": {"without": _mean(long, "test"), "with": _mean(short, "test"), "uniform": of_uniform},
                "rank_correlations": [each["surrogate"] and each["surrogate"]["rank_correlation"] for each in short],
                "switched_off": [each["surrogate"] and each["surrogate"]["switched_off"] for each in short],
            }
        )
    )


def _mean(found: list[dict[str, Any]], key: str) -> float:
    return float(statistics.mean(each[key] for each in found))


def _mean_best(found: list[dict[str, Any]]) -> float:
    return float(statistics.mean(max(each["experts"], *each["scores"]) for each in found))


if __name__ == "__main__":
    main()
