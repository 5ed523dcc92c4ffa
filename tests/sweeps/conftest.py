"""Multiruns as Hydra sees them, without its command."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from dfwe.conf import conf_dir
from dfwe.config.task_options import read_tasks, register


@pytest.fixture
def multirun():
    """A function from overrides to a multirun's jobs and a planner of them."""
    from dfwe.sweeps.jobs import jobs_of
    from dfwe.sweeps.planner import Planner

    def of(*overrides):
        config = GlobalHydra.instance().hydra.compose_config(
            "config", list(overrides), run_mode=RunMode.MULTIRUN, from_shell=False, with_log_configuration=False
        )
        planner = Planner(lambda rest: compose("config", overrides=list(rest)), read_tasks(), 1)
        return jobs_of(config, tasks=planner.names), planner

    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield of
