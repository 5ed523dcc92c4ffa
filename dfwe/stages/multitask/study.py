"""A multitask study from its configuration to its tables."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig

from dfwe.report.multitask_tables import show
from dfwe.report.progress import bars
from dfwe.stages.base import Stage, each_once
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.execute import execute
from dfwe.stages.loggers import begin, finish, following
from dfwe.stages.merge import MergeStage
from dfwe.stages.multitask.merges import Merged, candidates, plan_merges
from dfwe.stages.multitask.plan import MultitaskStudy, plan_multitask
from dfwe.stages.multitask.results import multitask_results, summary
from dfwe.stages.multitask.train import HeadTrainStage
from dfwe.store.card import write_json

log = logging.getLogger(__name__)


def run_multitask(config: DictConfig, *, folder: Path) -> None:
    """Trains, then merges what is worth merging, and reports; `folder` is the run's own."""
    study = plan_multitask(config)
    store = study.bench.store
    logger, model = study.bench.logger, study.bench.parent.title
    begin(logger, target="multitask", sources=tuple(study.columns), model=model, seed=study.seed)
    with bars() as start:
        start = following(start, logger=logger)
        seconds = execute(list(each_once(study.trainings())), store=store, start=start)
        chosen = candidates(study)
        merges, ablation = plan_merges(study, of=chosen)
        evaluations = _evaluations(study, merges={**merges, **ablation})
        every = [merged for each in (merges, ablation) for merged in each.values()]
        stages: list[tuple[str, Stage]] = [("merge", stage) for merged in every for stage in merged.stages]
        stages += [("evaluate", stage) for stage in evaluations.values()]
        seconds |= execute(list(each_once(stages)), store=store, start=start)
    if len(chosen) == 1:
        log.warning("%s alone is Pareto-optimal: there is nothing to merge", ", ".join(chosen))
    results = multitask_results(
        study, candidates=chosen, merges=merges, ablation=ablation, evaluations=evaluations, seconds=seconds
    )
    write_json(folder / "results.json", results)
    show(results)
    print(f"results: {folder / 'results.json'}")
    finish(logger, results=results, summary=summary(results))


def _evaluations(study: MultitaskStudy, *, merges: Mapping[str, Merged]) -> dict[str, EvaluateStage]:
    """The test split, of every model that was trained on a task that counts, and of every merge."""
    counted = list(study.target.tasks.values())
    trained = {name: stage for name, stage in study.models.items() if any(task in counted for task in stage.tasks)}
    subjects: dict[str, HeadTrainStage | MergeStage] = {
        **trained,
        **{name: merged.stage for name, merged in merges.items()},
    }
    return {name: EvaluateStage(stage.bench, stage, study.target) for name, stage in subjects.items()}
