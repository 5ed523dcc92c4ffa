"""Multiruns as Hydra sees them, without its command."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from dfwe.conf import conf_dir
from dfwe.config.task_options import register


@pytest.fixture
def multirun():
    """A function from overrides to a multirun's jobs, and one from a job to its planned study."""
    from dfwe.sweeps.compositions import Compositions
    from dfwe.sweeps.jobs import jobs_of

    compositions = Compositions(lambda overrides: compose("config", overrides=list(overrides)))

    def of(*overrides):
        config = GlobalHydra.instance().hydra.compose_config(
            "config", list(overrides), run_mode=RunMode.MULTIRUN, from_shell=False, with_log_configuration=False
        )
        return jobs_of(config), compositions.study

    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield of
