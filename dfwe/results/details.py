"""Read from stages what rows tell beside scores: searches, learning curves, F1 by label, examples."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dfwe.config.tasks import Task
from dfwe.metrics.classification import score_classes
from dfwe.metrics.multilabel import MultilabelF1
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation, Instance
from dfwe.report.trials import read_trials
from dfwe.seeding import derive
from dfwe.stages.base import Stage
from dfwe.stages.merge_search import TRIALS
from dfwe.stages.train import TrainStage
from dfwe.store.store import Entry, Store

MOST_EXAMPLES = 8  # of each kind
_LONGEST = 1500  # characters of a source; its beginning is left out, for the question stands at its end
_SAME = 12  # decimals: scores that agree in so many are one, summed in another order


def search_diagnostics(entry: Entry) -> dict[str, Any]:
    """Return how many candidates a merge's search evaluated (stopped ones count), and how many different scores.

    `plateau` is the longest run of evaluations without a new best; `repeats` are points that were asked again and cost
    nothing, `diameters` those of the simplex before each iteration, in logits, if the search has one.
    """
    searched = [trial for trial in read_trials(entry.file(TRIALS)) if trial.kind in ("uniform", "search")]
    best, since, plateau = float("-inf"), 0, 0
    for trial in searched:
        score = float("-inf") if trial.score is None else trial.score
        since = 0 if score > best else since + 1
        best, plateau = max(best, score), max(plateau, since)
    scores = {round(trial.score, _SAME) for trial in searched if trial.score is not None}
    record = entry.card.result.get("search", {})  # which older stores lack
    return {"evaluated": len(searched), "distinct_scores": len(scores), "plateau": plateau, **record}


def curve_results(stages: Iterable[tuple[str, Stage]], *, store: Store) -> list[dict[str, Any]]:
    """Return a record for each training among a study's stages and their parts, in the order in which they were made.

    `epochs` hold the dev scores, fractions: `target`, and `own` of an expert's own task where that is another; null
    where they are not known. `best_epoch` counts from 1, 0 is the start of a student; `criterion` is what chose it.
    """
    return [
        {
            "name": stage.recipe.name,
            "part": part,
            "tasks": [task.short for task in stage.recipe.tasks],
            **{key: stage.result(store).card.result[key] for key in ("epochs", "best_epoch", "criterion")},
        }
        for part, stage in stages
        if isinstance(stage, TrainStage)
    ]


def class_results(
    task: Task, *, answers: Mapping[str, Sequence[str]], references: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Return `gold`, how often each label is right on test, and `f1`, each label's by model; empty without labels.

    F1 is a fraction, null for a label that is neither gold nor predicted.
    """
    if not task.labels or not answers:
        return {}
    relations = relations_metric(task)
    labels_in: Callable[[str], Collection[str]] = (lambda text: (text,)) if relations is None else relations.parse
    scores = {
        name: score_classes([labels_in(text) for text in texts], gold=references, labels=task.labels)
        for name, texts in answers.items()
    }
    first = next(iter(scores.values()))
    return {
        "gold": {label: score.num_gold for label, score in first.items()},
        "f1": {name: {label: score.f1 for label, score in of.items()} for name, of in scores.items()},
    }


def relations_metric(task: Task) -> MultilabelF1 | None:
    """Return the metric that reads several labels from an answer; None where an answer is one label."""
    return next((metric for metric in task.scorer.metrics.values() if isinstance(metric, MultilabelF1)), None)


def changed_answers(
    evaluation: Evaluation, *, baseline: Evaluation, instances: Sequence[Instance], scorer: Scorer, seed: int
) -> dict[str, Any]:
    """Return the numbers of instances that were fixed and broken, and some of each, drawn with the seed.

    An instance is fixed where its answer alone would score more than the baseline's (`Scorer.example_scores`). With
    `are_graded` answers are not just right or wrong. Empty where no answer alone scores anything, as of a correlation.
    """
    ours, theirs = (scorer.example_scores(answers.counts) for answers in (evaluation, baseline))
    if not (ours.any() or theirs.any()):
        return {}
    fixed, broke = np.flatnonzero(ours > theirs), np.flatnonzero(ours < theirs)
    generator = np.random.default_rng(derive(seed, "examples"))

    def some(places: Any) -> list[dict[str, Any]]:
        sample = np.sort(generator.permutation(places)[:MOST_EXAMPLES])
        return [
            _example(instances[place], baseline.predictions[place], evaluation.predictions[place]) for place in sample
        ]

    return {
        "are_graded": not bool(np.isin([ours, theirs], (0, 1)).all()),
        **{"num_fixed": len(fixed), "num_broke": len(broke), "fixed": some(fixed), "broke": some(broke)},
    }


def _example(instance: Instance, before: str, after: str) -> dict[str, Any]:
    source = instance.source or " / ".join(instance.sentences)
    return {
        "instance_id": instance.instance_id,
        "source": source if len(source) <= _LONGEST else "… " + source[-_LONGEST:],
        "gold": list(instance.references),
        "before": before,
        "after": after,
    }
