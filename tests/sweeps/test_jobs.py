"""Jobs of a multirun, what of each has to be composed, and what their folders are called."""

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from dfwe.conf import conf_dir
from dfwe.config.run_name import register_run_name
from dfwe.config.task_options import register
from dfwe.errors import ConfigurationError
from dfwe.sweeps.folder_callback import FolderCallback
from dfwe.sweeps.jobs import constant_keys, has_twins


def test_jobs_of_source_triples_share_a_composition(multirun):
    jobs, _ = multirun("+target=meld", "+sweep=source_triples", "merge=nelder_mead")
    assert [job.number for job in jobs] == list(range(20))
    assert len({job.composed for job in jobs}) == 1
    assert [dict(job.numbers)["subset.number"] for job in jobs] == list(range(20))


def test_jobs_of_all_targets_are_seven(multirun):
    jobs, _ = multirun("+sweep=all_targets")
    assert len(jobs) == len({job.composed for job in jobs}) == 7


def test_jobs_of_sweeps_and_seeds_multiply(multirun):
    jobs, _ = multirun("+sweep=[source_triples,all_targets]", "seed=0,1", "merge=linear,ties")
    assert len(jobs) == 20 * 7 * 2 * 2
    assert len({job.composed for job in jobs}) == 2
    assert len({job.target for job in jobs}) == 7


@pytest.mark.parametrize("change", ["target.meld.max_new_tokens=7", "sources.meld.max_new_tokens=7"])
def test_jobs_with_changed_tasks_are_composed_per_target(multirun, change):
    jobs, _ = multirun("+target=meld", "sources=all", change)
    assert [job.target for job in jobs] == [None]
    assert jobs[0].composed == ("+target=meld", "sources=all", change)


def test_jobs_of_number_of_sources_have_three_draws(multirun):
    jobs, _ = multirun("+target=meld", "+sweep=number_of_sources")
    assert [tuple(dict(job.numbers).values()) for job in jobs] == [(n, draw) for n in range(1, 7) for draw in range(3)]


def test_jobs_prefer_the_command_line_to_a_sweep(multirun):
    jobs, _ = multirun("+target=meld", "+sweep=source_triples", "sources=[sst,snli]", "subset.number=0,1")
    assert len(jobs) == 2
    assert "sources=[sst,snli]" in jobs[0].composed


def test_jobs_of_a_sweeper_that_chooses_them_later_are_refused(multirun):
    with pytest.raises(ConfigurationError, match=r"other\.Sweeper chooses its jobs while they run"):
        multirun("+target=meld", "hydra.sweeper._target_=other.Sweeper")


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


def job_folders(config, *lists):
    """The names that the folders of jobs have, as a launcher finds them."""
    loader = GlobalHydra.instance().config_loader()
    return [loader.load_sweep_config(config, list(overrides)).hydra.sweep.subdir for overrides in lists]


def test_constant_keys_exclude_swept_keys(composed_multirun):
    config = composed_multirun("+target=meld,personality", "merge=ties", "seed=0,1", "+sweep=source_triples")
    assert {"merge", "sweep"} <= set(constant_keys(config))
    assert not {"target", "seed", "subset.number"} & set(constant_keys(config))


def test_job_folders_are_named_by_what_differs(composed_multirun, tmp_path):
    config = composed_multirun(
        "+target=meld,personality", "merge=ties", "seed=0,1", f'hydra.sweep.dir="{tmp_path}/it\'s"'
    )
    FolderCallback().on_multirun_start(config)
    first = ("+target=meld", "merge=ties", "seed=0")
    assert job_folders(config, first, ("+target=personality", "merge=ties", "seed=1")) == [
        "target-meld_seed-0",
        "target-personality_seed-1",
    ]
    (job,) = [GlobalHydra.instance().config_loader().load_sweep_config(config, list(first))]
    assert job.hydra.sweep.dir == str(tmp_path / "it's")
    assert job.hydra.job.override_dirname == "+target=meld,seed=0"


def test_sweep_folders_of_the_same_second_differ(composed_multirun, tmp_path):
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
    assert job_folders(config, ("+target=meld", "seed=0")) == ["2_seed-0"]
    assert not has_twins(composed_multirun("+target=meld", "seed=0,1"))


def test_has_twins_of_another_sweeper_is_false(composed_multirun):
    assert not has_twins(composed_multirun("+target=meld", "seed=0,0", "hydra.sweeper._target_=other.Sweeper"))


def test_sweep_plan_makes_no_folder(composed_multirun, tmp_path):
    config = composed_multirun("+target=meld", "seed=0,1", "plan_only=true", f"hydra.sweep.dir={tmp_path}/sweep")
    FolderCallback().on_multirun_start(config)
    assert not (tmp_path / "sweep").exists()
