"""A multitask study from its configuration to its tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from dfwe.execution.local import Executor
from dfwe.execution.tracking import begin, finish, following
from dfwe.io.files import write_json
from dfwe.report.multitask_tables import show
from dfwe.report.terminal.progress import bars
from dfwe.results.command import command
from dfwe.results.journals import copy_journals
from dfwe.results.multi_task.rows import multitask_results, summary
from dfwe.results.page import write_report
from dfwe.stages.base import Stage, each_once
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import TRIALS, MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.multi_task.merges import Merged, candidates, check_merges, plan_merges
from dfwe.studies.multi_task.plan import MultitaskStudy, plan_multitask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Merging:
    """What is known once the models are trained."""

    candidates: tuple[str, ...]
    merges: Mapping[str, Merged]
    ablation: Mapping[str, Merged]
    evaluations: Mapping[str, EvaluateStage]

    def stages(self) -> Iterator[tuple[str, Stage]]:
        """Every stage with its part, each once and after those it needs."""
        return each_once(self._parts())

    def stages_by_name(self) -> dict[str, MergeStage]:
        """The merges' own stages, those of the ablation, too."""
        return {name: merged.stage for name, merged in {**self.merges, **self.ablation}.items()}

    def _parts(self) -> Iterator[tuple[str, Stage]]:
        for merged in (*self.merges.values(), *self.ablation.values()):
            yield from (("merge", stage) for stage in merged.stages)
        yield from (("evaluate", stage) for stage in self.evaluations.values())


def plan_merging(study: MultitaskStudy) -> Merging:
    """What is merged and evaluated, by the models' dev scores; raises what `plan_merges` raises."""
    chosen = candidates(study)
    merges, ablation = plan_merges(study, of=chosen)
    return Merging(chosen, merges, ablation, _evaluations(study, merges={**merges, **ablation}))


def run_multitask(config: DictConfig, *, folder: Path, executor: Executor) -> None:
    """Trains, then merges what is worth merging, and reports; `folder` is the run's own."""
    study = plan_multitask(config)
    check_merges(study)
    logger, model = study.family.context.logger, study.family.base_model.title
    begin(logger, target=", ".join(study.target.tasks), sources=tuple(study.columns), model=model, seed=study.seed)
    with bars() as start, executor.opened(config, family=study.family) as execute:
        start = following(start, logger=logger)
        seconds = execute(list(each_once(study.trainings())), start=start)
        merging = plan_merging(study)
        seconds |= execute(list(merging.stages()), start=start)
    if len(merging.candidates) == 1:
        log.warning("%s alone is Pareto-optimal: there is nothing to merge", ", ".join(merging.candidates))
    results = multitask_results(
        study,
        candidates=merging.candidates,
        merges=merging.merges,
        ablation=merging.ablation,
        evaluations=merging.evaluations,
        seconds=seconds,
    )
    results |= command()
    write_json(folder / "results.json", results)
    merges = merging.stages_by_name()
    copy_journals(merges, asked=None, files=(TRIALS,), folder=folder)
    show(results)
    print(f"results: {folder / 'results.json'}")
    if config.report:
        write_report(folder)
    described = {name: stage.config for name, stage in merges.items()}
    finish(logger, results=results, summary=summary(results), merges=described)  # last: it takes all files


def _evaluations(study: MultitaskStudy, *, merges: Mapping[str, Merged]) -> dict[str, EvaluateStage]:
    """The test split, of every model that was trained on a task that counts, and of every merge."""
    counted = list(study.target.tasks.values())
    trained = {
        name: stage for name, stage in study.models.items() if any(task in counted for task in stage.recipe.tasks)
    }
    subjects: dict[str, TrainStage | MergeStage] = {
        **trained,
        **{name: merged.stage for name, merged in merges.items()},
    }
    return {name: EvaluateStage(stage.family, stage, study.target) for name, stage in subjects.items()}
