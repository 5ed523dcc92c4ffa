"""Which selection rule keeps the best candidate of a search, judged by cross-validation on dev alone, test never read.

    python benchmarks/selection_rules.py +target=meld [--seeds 3] [overrides ...]
    python benchmarks/selection_rules.py experiment=friends_classifier +target=meld sources=closed_labels \
        data.root=FOLDER [--seeds 3]

Each seed is a study: its experts are trained, or found in the store. One search a fold sees all of dev but its fold,
each with the budget of the study's merge. Then each rule chooses among the same candidates, and its choices are scored
on the folds that their searches did not see, all folds together; beside them the uniform mixture and the expert that is
best on what each search saw. Prints one JSON line: each study's scores times 100, and their means with the standard
errors of the differences to the first rule. Epochs of experts were chosen on all of dev, which favours rules that keep
an expert. A killed run goes on.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from holdout import planned
from seeds import mean_with_error, run_seeds

from dfwe.stages.merge import MergeStage
from dfwe.stages.merge_search import EXTRA_KIND, PREDICTIONS, TRIALS
from dfwe.store.store import Store
from dfwe.studies.study import Study

RULES = {
    "bagged": ["merge/selection=bagged"],
    "argmax": ["merge/selection=argmax"],
    "one standard error": ["merge/selection=one_standard_error"],
    "two standard errors": ["merge/selection=one_standard_error", "merge.selection.standard_errors=2"],
}
FOLDS = 5


def one_seed(seed: int, *, overrides: Sequence[str]) -> dict[str, float]:
    """Each rule's score on what the searches did not see, the uniform mixture's and the best expert's."""
    scores: dict[str, float] = {}
    searched: MergeStage | None = None
    for rule in RULES:
        stage, store = _merge(rule, seed=seed, overrides=overrides)
        if searched is not None:
            _begin_with_trials_of(searched, stage=stage, store=store)
        result = stage.result(store).card.result["holdout"]
        searched = searched or stage
        scores |= {rule: result["score"], "uniform": result["start"], "best expert": result["expert"]}
    scores = {name: round(100 * score, 2) for name, score in scores.items()}
    print(f"seed {seed}: {scores}", file=sys.stderr, flush=True)
    return scores


def _merge(rule: str, *, seed: int, overrides: Sequence[str]) -> tuple[MergeStage, Store]:
    """The study's merge, searched fold by fold, and the study's store."""
    settings = [*overrides, f"seed={seed}", "baselines=[]", "diagnostics=[]", *RULES[rule]]
    budget = _headline(planned(settings)).config["search"]["budget"]
    folds = ["merge/holdout=k_fold", f"merge.holdout.number={FOLDS}", f"merge.search.budget={FOLDS * budget}"]
    study = planned([*settings, *folds])
    store = study.family.context.store
    for stage in study.pretraining:
        stage.result(store)
    return _headline(study), store


def _headline(study: Study) -> MergeStage:
    assert study.headline is not None
    return study.merges[study.headline]


def _begin_with_trials_of(searched: MergeStage, *, stage: MergeStage, store: Store) -> None:
    """Put the journal of the same search where the stage goes on from: its candidates are not evaluated again."""
    if stage.find(store) is None:
        folder, entry = store.partial(stage.kind, spec=stage.spec()), searched.result(store)
        lines = entry.file(TRIALS).read_text().splitlines(keepends=True)
        own = [json.loads(line)["kind"] != EXTRA_KIND for line in lines]  # the rule adds its own trials at the end
        for name in (TRIALS, PREDICTIONS):
            lines = entry.file(name).read_text().splitlines(keepends=True)
            (folder / name).write_text("".join(lines[: sum(own)]))


def summary(found: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Means over the seeds, and of the differences to the first rule."""
    first = next(iter(RULES))
    return {
        name: {
            "score": round(statistics.mean(study[name] for study in found), 2),
            "to_first": mean_with_error([study[name] - study[first] for study in found], digits=2),
        }
        for name in found[0]
    }


if __name__ == "__main__":
    run_seeds(__doc__, one_seed=one_seed, summary=summary, num_seeds=3)
