"""What run folders are called."""

import re

import pytest
from omegaconf import OmegaConf

from dfwe.config.run_name import LONGEST, name_of, register_run_name, run_name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["+target=meld"], "meld_nelder_mead_s0"),
        (["+target=MELD_emotion_recognition", "merge=ties", "seed=7"], "meld_ties_s7"),
        (["+target=meld", "+merge@merges.second=ties"], "meld_nelder_mead_and-1_s0"),
        (["+target=meld", "experiment=merge_zoo"], "meld_zoo_s0"),
        (["+target=meld", "merge.name=../../up"], "meld_up_s0"),
        ([], "no-target_nelder_mead_s0"),  # the study complains
    ],
)
def test_a_run_is_named_by_target_merge_and_seed(composed, overrides, name):
    assert run_name(composed(*overrides)) == name


def test_a_study_of_models_with_heads_is_named_by_its_option():
    choices = {"runtime": {"choices": {"multitask": "cuts_and_stitches"}}}
    config = OmegaConf.create({"multitask": {"models": {}}, "seed": 3, "hydra": choices})
    assert run_name(config) == "cuts_and_stitches_s3"


def test_missing_values_and_no_merge_are_no_error():
    assert run_name(OmegaConf.create({"merge": None, "seed": "???", "target": {}})) == "no-target_no-merge_sNone"


def test_names_stay_short():
    assert len(run_name(OmegaConf.create({"target": {"x" * 300: {}}, "seed": 0}))) == LONGEST


def test_hydra_finds_the_name_in_the_root():
    register_run_name()
    config = OmegaConf.create({"target": {"meld": {}}, "seed": 1, "hydra": {"run": {"dir": "o/12_${run_name:}"}}})
    assert config.hydra.run.dir == "o/12_meld_no-merge_s1"


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["+target=meld", "seed=3", "merge=ties"], "target-meld_seed-3"),
        (["+target=meld", "sources=[a, b]"], "target-meld_sources-a-b"),
        (["~diagnostics", "seed=-1"], "diagnostics_seed--1"),
        (["merge=ties"], ""),
    ],
)
def test_a_job_is_named_by_what_differs(overrides, name):
    assert name_of(overrides, constant={"merge"}) == name


def test_names_of_jobs_are_safe_short_and_different():
    values = ["../../up", "..-..-up", "a/b", "a b", "ü", "x" * 300, "x" * 301, "$(rm)", "*"]
    names = [name_of([f"data.root={value}"], constant=()) for value in values]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, flags=re.ASCII) and len(name) <= LONGEST for name in names)


def test_hydra_finds_a_jobs_name_or_its_number():
    register_run_name()
    job = {"num": 4, "config": {"override_dirname": {"exclude_keys": ["merge"]}}}
    hydra = {"job": job, "sweep": {"subdir": "${job_name:}"}, "overrides": {"task": ["merge=ties", "seed=2"]}}
    config = OmegaConf.create({"hydra": hydra})
    assert config.hydra.sweep.subdir == "seed-2"
    config.hydra.overrides.task = ["merge=ties"]
    assert config.hydra.sweep.subdir == "4"
