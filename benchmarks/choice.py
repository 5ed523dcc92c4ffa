"""How good the sources are that `source_selection` takes, among all triples, over studies' seeds.

    python benchmarks/choice.py +target=meld [--seeds 5] [--first 0] [overrides ...]

Each seed runs the exhaustive sweep once: a study of each triple of the other tasks, its merge and the uniform mixture,
experts shared; what the store holds is not made again, so that a killed run goes on. Then each way of choosing takes
its triple. Prints one JSON line: by way and seed the rank of the chosen triple among all by the merge's dev and test
score (1 is the best, equals share their mean; a triple drawn at random has (number + 1) / 2 in the mean), the share of
the way from the mean triple's score to the best one's, and the Spearman correlation over all triples between the sum
of the members' ranks and the score; and the means over seeds with their standard errors. "the best on dev" is what the
exhaustive sweep itself would take, "default_sources" the three that the task's YAML names.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from seeds import mean_with_error, run_seeds

from dfwe.conf import conf_dir
from dfwe.config.task_options import read_tasks
from dfwe.studies.plan import load_plan
from dfwe.studies.recipes import DfwePlan, dfwe_study
from dfwe.studies.source_selection.ranking import relative_ranks
from dfwe.studies.source_selection.stage import SelectionPolicy
from dfwe.studies.study import Study

GRADIENTS, FISHER = "source_selection.by.gradients", "source_selection.by.fisher"
WAYS = {
    "gradients": ("source_selection=gradients",),
    "gradients, centred": ("source_selection=gradients", f"{GRADIENTS}.compare=centred"),
    "gradients in the set": ("source_selection=gradients", f"{GRADIENTS}.measure.answers=set"),
    "gradients in the set, centred": (
        "source_selection=gradients",
        f"{GRADIENTS}.measure.answers=set",
        f"{GRADIENTS}.compare=centred",
    ),
    "fisher": ("source_selection=fisher",),
    "fisher, cosine": ("source_selection=fisher", f"{FISHER}.compare=cosine"),
    "fisher, centred": ("source_selection=fisher", f"{FISHER}.compare=centred"),
    "transfer": ("source_selection=transfer",),
    "transfer and gradients": ("source_selection=[transfer,gradients]",),
}
Triple = tuple[str, ...]
Scores = dict[Triple, dict[str, float]]


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def swept(draft: DfwePlan) -> Scores:
    """Each triple's dev and test score, of the merge that was asked for and of the uniform mixture."""
    found = {}
    for triple in itertools.combinations(sorted(draft.candidates, key=lambda task: task.short), 3):
        begun, names = time.perf_counter(), tuple(task.short for task in triple)
        found[names] = scores_of(dfwe_study(draft, sources=triple))
        seconds = time.perf_counter() - begun
        print(f"seed {draft.seed} {', '.join(names)}: {found[names]} {seconds:.0f} s", file=sys.stderr, flush=True)
    return found


def scores_of(study: Study) -> dict[str, float]:
    """Runs what the study's merges need, the tests of its experts aside."""
    store = study.family.context.store
    for stage in (*study.trained.values(), *study.experts.values()):
        stage.result(store)
    found = {}
    for name, words in ((study.headline, ""), ("uniform", "uniform ")):
        assert name is not None
        found[f"{words}dev"] = study.merges[name].result(store).card.result["dev"]["score"]
        found[f"{words}test"] = study.evaluations[name].result(store).card.result["score"]
    return found


def chosen(draft: DfwePlan, *, overrides: Sequence[str]) -> tuple[Triple, dict[str, float]]:
    """What a way takes, and the candidates' ranks, lower is better."""
    rule = SelectionPolicy.of(composed(*overrides))
    assert rule is not None
    stage = rule.stage(draft.factory, target=draft.target, candidates=draft.candidates, seed=draft.seed)
    result = stage.result(draft.family.context.store).card.result
    return tuple(result["taken"]), {each["task"]: each["rank"] for each in result["ranking"]}


def judged(triple: Triple, *, scores: Scores, ranks: Mapping[str, float] | None) -> dict[str, Any]:
    """The place of a triple among all, by each score."""
    found: dict[str, Any] = {"triple": list(triple)}
    for what in scores[triple]:
        values = {each: own[what] for each, own in scores.items()}
        mean, best = statistics.mean(values.values()), max(values.values())
        found[what] = {
            "score": values[triple],
            "rank": places(values)[triple],
            "gained": (values[triple] - mean) / (best - mean) if best > mean else 0.0,
        }
        if ranks is not None:
            expected = {each: -sum(ranks[name] for name in each) for each in values}
            found[what]["spearman"] = spearman(expected, values)
    return found


def places(values: Mapping[Triple, float]) -> dict[Triple, float]:
    """1 for the best; equals share the mean of theirs."""
    relative = relative_ranks({" ".join(triple): value for triple, value in values.items()})
    return {triple: relative[" ".join(triple)] * len(values) + 0.5 for triple in values}


def spearman(first: Mapping[Triple, float], second: Mapping[Triple, float]) -> float:
    """The correlation of places; 0 where one has all alike."""
    ranked = (places(first), places(second))
    pairs = np.array([[each[triple] for triple in first] for each in ranked])
    return float(np.corrcoef(pairs)[0, 1]) if pairs.std(axis=1).all() else 0.0


def one_seed(seed: int, *, overrides: Sequence[str]) -> dict[str, Any]:
    """All ways' triples among all, of one seed."""
    said = (*overrides, f"seed={seed}")
    draft = load_plan(composed(*said, "sources=all"))
    assert isinstance(draft, DfwePlan)
    for stage in draft.pretraining:
        stage.result(draft.family.context.store)
    scores = swept(draft)
    ways = {}
    for way, more in WAYS.items():
        triple, ranks = chosen(draft, overrides=(*said, "sources=all", *more))
        ways[way] = judged(triple, scores=scores, ranks=ranks)
    best = max(scores, key=lambda each: scores[each]["dev"])
    ways["the best on dev"] = judged(best, scores=scores, ranks=None)
    default = tuple(sorted(read_tasks()[draft.target.short].default_sources))
    if default in scores:
        ways["default_sources"] = judged(default, scores=scores, ranks=None)
    return {"seed": seed, "scores": {" ".join(each): own for each, own in scores.items()}, "ways": ways}


def summary(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over seeds, and their standard errors."""
    return {
        way: {
            what: {
                key: mean_with_error([each["ways"][way][what][key] for each in found], digits=3)
                for key in first
                if key != "score"
            }
            for what, first in judged_one.items()
            if what != "triple"
        }
        for way, judged_one in found[0]["ways"].items()
    }


if __name__ == "__main__":
    run_seeds(__doc__, one_seed=one_seed, summary=summary, num_seeds=5)
