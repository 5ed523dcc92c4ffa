"""Which keys name the jobs of a sweep."""

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from dfwe.conf import conf_dir
from dfwe.config.run_name import register_run_name
from dfwe.config.task_options import register
from dfwe.sweeps.folder_callback import FolderCallback
from dfwe.sweeps.names import constant_keys, has_twins


@pytest.fixture
def composed_multirun():
    def of(*overrides):
        return GlobalHydra.instance().hydra.compose_config(
            "config", list(overrides), run_mode=RunMode.MULTIRUN, from_shell=False, with_log_configuration=False
        )

    register()
    register_run_name()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield of


def jobs(config, *lists):
    """The names that the folders of jobs have, as a launcher finds them."""
    loader = GlobalHydra.instance().config_loader()
    return [loader.load_sweep_config(config, list(overrides)).hydra.sweep.subdir for overrides in lists]


def test_what_is_the_same_in_all_jobs_is_told_from_what_is_swept(composed_multirun):
    config = composed_multirun("+target=meld,personality", "merge=ties", "seed=0,1", "+sweep=source_triples")
    assert {"merge", "sweep"} <= set(constant_keys(config))
    assert not {"target", "seed", "subset.number"} & set(constant_keys(config))


def test_jobs_lie_below_the_sweeps_own_folder_by_what_differs(composed_multirun, tmp_path):
    config = composed_multirun(
        "+target=meld,personality", "merge=ties", "seed=0,1", f'hydra.sweep.dir="{tmp_path}/it\'s"'
    )
    FolderCallback().on_multirun_start(config)
    first = ("+target=meld", "merge=ties", "seed=0")
    assert jobs(config, first, ("+target=personality", "merge=ties", "seed=1")) == [
        "target-meld_seed-0",
        "target-personality_seed-1",
    ]
    (job,) = [GlobalHydra.instance().config_loader().load_sweep_config(config, list(first))]
    assert job.hydra.sweep.dir == str(tmp_path / "it's")
    assert job.hydra.job.override_dirname == "+target=meld,seed=0"


def test_a_second_sweep_of_the_same_second_has_another_folder(composed_multirun, tmp_path):
    name = f"hydra.sweep.dir='{tmp_path}/${{now:%Y}}'"
    configs = [composed_multirun("+target=meld", "seed=0,1", name) for _ in range(2)]
    for config in configs:
        FolderCallback().on_multirun_start(config)
    first, second = [config.hydra.sweep.dir for config in configs]
    assert second == f"{first}_2"


def test_twins_have_their_numbers_in_their_names(composed_multirun, tmp_path):
    config = composed_multirun("+target=meld", "seed=0,1,0", f"hydra.sweep.dir={tmp_path}")
    assert has_twins(config)
    FolderCallback().on_multirun_start(config)
    config.hydra.overrides.hydra.append("hydra.job.num=2")
    assert jobs(config, ("+target=meld", "seed=0")) == ["2_seed-0"]
    assert not has_twins(composed_multirun("+target=meld", "seed=0,1"))


def test_other_sweepers_have_no_twins_that_are_known(composed_multirun):
    assert not has_twins(composed_multirun("+target=meld", "seed=0,0", "hydra.sweeper._target_=other.Sweeper"))


def test_a_plan_of_a_sweep_makes_no_folder(composed_multirun, tmp_path):
    config = composed_multirun("+target=meld", "seed=0,1", "plan_only=true", f"hydra.sweep.dir={tmp_path}/sweep")
    FolderCallback().on_multirun_start(config)
    assert not (tmp_path / "sweep").exists()
