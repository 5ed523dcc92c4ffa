"""The plan of one study, where a command asks for nothing else."""

from __future__ import annotations

from omegaconf import DictConfig

from dfwe.report.plain import show_plain
from dfwe.report.plan_table import draw_plan
from dfwe.stages.design import Design
from dfwe.stages.multitask.planned import PlannedMultitask
from dfwe.stages.plan import Draft
from dfwe.stages.subset import study_tasks
from dfwe.stages.sweep.plan import Planned, summary
from dfwe.stages.text_bench import study_bench
from dfwe.stages.workshop import Workshop


def show_plan(config: DictConfig) -> None:
    """Prints what the study needs; nothing runs.

    Raises:
        DfweError: what planning the study raises, and for a study of models with heads.
    """
    config.logger = None
    show_plain(draw_plan(summary([_known(config)])))


def _known(config: DictConfig) -> Planned:
    if config.multitask is not None:
        return PlannedMultitask.of(config)
    target, sources = study_tasks(config)
    bench, pretraining = study_bench(config, tasks=(target, *sources))
    draft = Draft.of(
        Design.of(config),
        workshop=Workshop(bench),
        pretraining=pretraining,
        target=target,
        candidates=sources,
        seed=config.seed,
    )
    return draft.known()
