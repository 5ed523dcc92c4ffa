"""Stages of a multitask study by their digests: merges are known once models are trained."""

import pytest

from dfwe.errors import ExecutorError
from dfwe.execution.stage_index import Catalogue
from dfwe.run_multi_task import plan_merging
from dfwe.studies.multi_task.plan import plan_multitask


def test_a_catalogue_finds_trainings_merges_and_evaluations(ran_heads):
    study = plan_multitask(ran_heads[1])
    catalogue = Catalogue(ran_heads[1])
    stages = [*study.trainings(), *plan_merging(study).stages()]
    assert {part for part, _ in stages} == {"parent", "train", "merge", "evaluate"}
    assert all(catalogue.stage(stage.digest).title == stage.title for _, stage in stages)


def test_each_stage_comes_after_those_it_needs(ran_heads):
    study, before = plan_multitask(ran_heads[1]), set()
    for _, stage in (*study.trainings(), *plan_merging(study).stages()):
        assert {need.digest for need in stage.needs} <= before, stage.title
        before.add(stage.digest)


def test_a_digest_of_another_study_is_said(ran_heads):
    with pytest.raises(ExecutorError, match="a worker plans another study .* without the stage 0123456789abcdef"):
        Catalogue(ran_heads[1]).stage("0123456789abcdef")
