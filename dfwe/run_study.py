"""A study from its configuration to its table and its run folder."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dfwe.config.instantiate import bind
from dfwe.execution.local import Executor
from dfwe.execution.quiet import quiet
from dfwe.execution.tracking import begin, finish, following
from dfwe.io.files import write_json
from dfwe.report.table import show
from dfwe.report.terminal.progress import bars
from dfwe.results.answers import write_answers
from dfwe.results.command import command
from dfwe.results.export import export_models
from dfwe.results.journals import copy_journals
from dfwe.results.page import write_report
from dfwe.results.rows import study_results, summary
from dfwe.run_multi_task import run_multitask
from dfwe.stages.base import each_once
from dfwe.stages.merge import PREDICTIONS, TRIALS
from dfwe.studies.plan import Study, draft_study


def run_study(config: DictConfig, *, folder: Path) -> None:
    """Plans, executes, reports; `folder` is the run's own, where results, journal and merged model go."""
    quiet()
    executor: Executor = bind(config.executor)
    if config.multitask is not None:
        run_multitask(config, folder=folder, executor=executor)
        return
    draft = draft_study(config)
    choosing = list(each_once(draft.parts()))
    with bars() as start, executor.opened(config, family=draft.family) as execute:
        start = following(start, logger=draft.family.context.logger)
        seconds = execute(choosing, start=start)
        study = draft.study()
        _begin(study)
        seconds |= execute(list(study.stages())[len(choosing) :], start=start)  # begins with the same
        results = study_results(study, seconds=seconds) | command()
    write_json(folder / "results.json", results)
    copy_journals(study.merges, asked=study.asked, files=(TRIALS, PREDICTIONS), folder=folder)
    if study.evaluations:
        write_answers(study, folder=folder)
    if config.export and study.evaluations:
        export_models(study, recommended=results["recommended"].get("name"), folder=folder)
    show(results)
    print(f"results: {folder / 'results.json'}")
    if config.report:
        write_report(folder)
    merges = {name: stage.config for name, stage in study.merges.items()}
    # last: it takes all files
    finish(study.family.context.logger, results=results, summary=summary(results), merges=merges)


def _begin(study: Study) -> None:
    """Tells the logger what the study is called."""
    sources, model = tuple(task.name for task in study.sources), study.family.base_model.title
    begin(study.family.context.logger, target=study.target.name, sources=sources, model=model, seed=study.seed)
