"""Run a study: from its configuration to its table and its run folder."""

from __future__ import annotations

from pathlib import Path

import torch
from omegaconf import DictConfig

from dfwe.config.consistency import lists_models
from dfwe.config.instantiate import bind
from dfwe.execution.local import Executor
from dfwe.execution.quiet import quiet
from dfwe.execution.remaining import RemainingTime, num_rows
from dfwe.execution.tracking import begin, finish, following
from dfwe.io.files import make_folder, write_json
from dfwe.models.hub import Push
from dfwe.report.terminal.progress import bars
from dfwe.report.terminal.study import show
from dfwe.results.artifacts import command, copy_journals, write_answers, write_report
from dfwe.results.document import study_results, summary
from dfwe.results.export import export_models
from dfwe.stages.merge_search import PREDICTIONS, TRIALS
from dfwe.studies.plan import load_plan
from dfwe.studies.study import StudyPlan


def run_study(config: DictConfig, *, folder: Path) -> None:
    """Plan, execute and report a study; `folder` is the run's own, where results, journal and merged model go."""
    make_folder(folder)  # now: training can take hours, and a folder that cannot be made should end it before
    quiet()
    threads = torch.get_num_threads()
    try:
        _run(config, folder=folder)
    finally:
        torch.set_num_threads(threads)  # `trainer.threads` is of this study alone, not of a sweep's next one


def _run(config: DictConfig, *, folder: Path) -> None:
    push = None if config.push.repo is None else Push(config.push.repo, private=config.push.private)
    if push is not None:
        push.check()
    executor: Executor = bind(config.executor)
    plan = load_plan(config)
    if config.preflight:
        plan.check_models()
    family = plan.family
    logger, seconds = family.context.logger, dict[str, float]()
    with bars() as start, executor.opened(config, family=family) as execute:
        is_named = False
        for stages in plan.rounds():
            if not is_named and plan.name is not None:
                _begin(plan)
                is_named = True
            if executor.is_sequential and not lists_models(config):  # one after the other, all alike
                start_stage = RemainingTime(num_rows(stages, store=family.context.store)).following(start)
            else:
                start_stage = start
            seconds |= execute(stages, start=following(start_stage, logger=logger))
    study = plan.resolve()
    exported = bool(config.export and study.evaluations)
    results = study_results(study, seconds=seconds, exported=exported) | command()
    write_json(folder / "results.json", results)
    copy_journals(study.merges, headline=study.headline, files=(TRIALS, PREDICTIONS), folder=folder)
    if study.evaluations and study.listing is None:
        write_answers(study, folder=folder)
    if exported:
        export_models(
            study,
            results=results,
            folder=folder,
            max_shard_size=config.max_shard_size,
            with_experts=config.export_experts,
        )
    show(results)
    print(f"results: {folder / 'results.json'}")
    if config.report:
        write_report(folder)
    merges = {name: stage.config for name, stage in study.merges.items()}
    finish(logger, results=results, summary=summary(results), merges=merges)  # last of the run: it takes all files
    if push is not None:
        print(f"pushed: {push.upload(folder / config.push.folder)}")


def _begin(plan: StudyPlan) -> None:
    """Tell the logger what the study is called."""
    assert plan.name is not None
    (target, sources), context = plan.name, plan.family.context
    begin(context.logger, target=target, sources=sources, model=plan.family.base_model.title, seed=context.data.seed)
