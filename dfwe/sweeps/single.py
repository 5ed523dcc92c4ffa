"""The plan of one study, where a command asks for nothing else."""

from __future__ import annotations

from omegaconf import DictConfig

from dfwe.report.terminal.console import show_plain
from dfwe.report.terminal.plan_table import draw_plan
from dfwe.studies.context import study_family
from dfwe.studies.multi_task.planned import PlannedMultitask
from dfwe.studies.plan import Draft
from dfwe.studies.sources import study_tasks
from dfwe.studies.spec import Design
from dfwe.studies.stage_factory import Workshop
from dfwe.sweeps.plan import Planned, summary


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
    family, pretraining = study_family(config, tasks=(target, *sources))
    target, sources = family.adapt(target), tuple(family.adapt(task) for task in sources)
    draft = Draft.of(
        Design.of(config),
        workshop=Workshop(family),
        pretraining=pretraining,
        target=target,
        candidates=sources,
        seed=config.seed,
    )
    return draft.known()
