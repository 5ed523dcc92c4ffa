"""The plan of one study, where a command asks for nothing else."""

from __future__ import annotations

from omegaconf import DictConfig
from rich.console import Console

from dfwe.report.plan_table import draw_plan
from dfwe.stages.design import Design
from dfwe.stages.plan import Draft, study_bench
from dfwe.stages.subset import study_tasks
from dfwe.stages.sweep.plan import summary
from dfwe.stages.sweep.planner import check_plannable
from dfwe.stages.workshop import Workshop


def show_plan(config: DictConfig) -> None:
    """Prints what the study needs; no instance is read, nothing runs.

    Raises:
        DfweError: what planning the study raises, and for a study of models with heads.
    """
    check_plannable(config)
    target, sources = study_tasks(config)
    config.logger = None
    bench, pretraining = study_bench(config, tasks=(target, *sources))
    draft = Draft.of(
        Design.of(config),
        workshop=Workshop(bench),
        pretraining=pretraining,
        target=target,
        candidates=sources,
        seed=config.seed,
    )
    Console().print(draw_plan(summary([draft.known()])))
