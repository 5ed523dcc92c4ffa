"""A study from its configuration to its table and its run folder."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dfwe.files import write_json
from dfwe.report.progress import bars
from dfwe.report.table import show
from dfwe.stages.answers import write_answers
from dfwe.stages.base import each_once
from dfwe.stages.binding import bind
from dfwe.stages.command import command
from dfwe.stages.execute import Executor
from dfwe.stages.export import export_models
from dfwe.stages.journals import copy_journals
from dfwe.stages.loggers import begin, finish, following
from dfwe.stages.merge import PREDICTIONS, TRIALS
from dfwe.stages.multitask.study import run_multitask
from dfwe.stages.page import write_report
from dfwe.stages.plan import Study, draft_study
from dfwe.stages.quiet import quiet
from dfwe.stages.results import study_results, summary


def run_study(config: DictConfig, *, folder: Path) -> None:
    """Plans, executes, reports; `folder` is the run's own, where results, journal and merged model go."""
    quiet()
    executor: Executor = bind(config.executor)
    if config.multitask is not None:
        run_multitask(config, folder=folder, executor=executor)
        return
    draft = draft_study(config)
    choosing = list(each_once(draft.parts()))
    with bars() as start, executor.opened(config, bench=draft.bench) as execute:
        start = following(start, logger=draft.bench.logger)
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
    finish(study.bench.logger, results=results, summary=summary(results), merges=merges)


def _begin(study: Study) -> None:
    """Tells the logger what the study is called."""
    sources, model = tuple(task.name for task in study.sources), study.bench.parent.title
    begin(study.bench.logger, target=study.target.name, sources=sources, model=model, seed=study.seed)
