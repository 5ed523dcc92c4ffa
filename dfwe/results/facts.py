"""Say what a study is about: its target or its list of models, its splits, its data."""

from __future__ import annotations

import logging
from typing import Any

from dfwe.config.tasks import Task, TaskMean, tasks_of
from dfwe.data.prompts.dialogues import Emotion
from dfwe.data.prompts.template import Sentences, Template
from dfwe.families.classifier.tasks import ClosedSet
from dfwe.records import SPLITS
from dfwe.results.comparison import Comparison, TaskMeanComparison
from dfwe.stages.external_expert import ExternalExpert
from dfwe.studies.source_selection.stage import selection_results
from dfwe.studies.study import Study

log = logging.getLogger(__name__)


def target_facts(study: Study, comparison: Comparison) -> dict[str, Any]:
    """Return what a study of one target is about."""
    evaluation = next(iter(comparison.evaluations.values()), None)
    external = external_models(study)
    rare = () if evaluation is None else study.target.scorer.rare_classes(evaluation.counts)
    return {
        "target": study.target.name,
        "sources": list(external or [task.name for task in study.sources]),
        **({"external": external} if external else {}),
        "source_selection": selection_results(study.source_selection),
        "decode": study.family.decoding(study.target),
        "rare_classes": list(rare),  # they make intervals of a macro F1 too narrow
        "questions": questions(study.target),
    }


def questions(task: Task) -> dict[str, Any]:
    """Return what the task's model is asked: `texts` (of turns), `rows` with `columns`, or whole `dialogues`."""
    prompt = task.prompt.prompt if isinstance(task.prompt, ClosedSet) else task.prompt
    if isinstance(prompt, Template | Sentences):
        return {"form": "rows", "columns": list(prompt.columns)}
    return {"form": "texts" if isinstance(prompt, Emotion) else "dialogues"}


def external_models(study: Study) -> dict[str, str]:
    """Return the experts that were trained elsewhere, as the user named them, by name."""
    stages = study.trained.items()
    return {name: stage.external.name for name, stage in stages if isinstance(stage, ExternalExpert)}


def listed_facts(study: Study, comparison: Comparison) -> dict[str, Any]:
    """Return what a study of listed models is about; `single` are the models that each task is compared with."""
    assert study.listing is not None
    assert isinstance(study.objective, TaskMean)
    assert isinstance(comparison, TaskMeanComparison)
    listing = study.listing
    if len(listing.candidates) == 1:
        log.warning("%s alone is Pareto-optimal: there is nothing to merge", listing.candidates[0])
    return {
        "kind": "multitask",
        "target": ", ".join(study.objective.tasks),
        "sources": [task.name for task in study.tasks.values() if task not in tasks_of(study.objective)],
        "columns": {column: study.tasks[column].short for column in study.objective.tasks},
        "candidates": list(listing.candidates),
        "single": comparison.single,
        "ablation": {name: listing.titles[name] for name in listing.ablation},
        "published": listing.config["published"],
    }


def split_sizes(study: Study) -> dict[str, Any]:
    """Return the numbers of instances by split: of the target, or of several tasks of each."""
    data = study.family.context.data

    def of_task(task: Task, *, is_tested: bool = True) -> dict[str, int]:
        splits = SPLITS if is_tested else ("train", "dev")
        return {split: len(data.instances(task, split=split)) for split in splits}

    if study.listing is None:
        return of_task(study.target, is_tested=bool(study.evaluations))
    return {column: of_task(task) for column, task in study.tasks.items()}


def data_facts(study: Study) -> dict[str, Any]:
    """Return where each task's instances come from, and which rows of its files were left out."""
    data, tasks = study.family.context.data, {}
    for task in study.tasks.values():
        corpus = data.corpus(task)
        tasks[task.short] = {
            "origin": corpus.origin,
            **data.digest(task),
            "rows_read": {file: report.num_rows for file, report in corpus.row_reports.items()},
            "bad_rows": [str(issue) for report in corpus.row_reports.values() for issue in report.invalid],
            "odd_rows": [str(issue) for report in corpus.row_reports.values() for issue in report.suspicious],
            "left_out_on_purpose": dict(corpus.num_excluded),
        }
    return {"root": None if data.root is None else str(data.root), "tasks": tasks}
