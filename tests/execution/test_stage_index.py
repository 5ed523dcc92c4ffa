"""Stages of a multitask study by their digests: merges are known once models are trained."""

import pytest

from dfwe.errors import ExecutorError
from dfwe.execution.stage_index import Catalogue
from dfwe.studies.listed import plan_listed


def test_a_catalogue_finds_trainings_merges_and_evaluations(ran_heads):
    plan = plan_listed(ran_heads[1])
    catalogue = Catalogue(ran_heads[1])
    stages = [each for stages in plan.rounds() for each in stages]
    assert {part for part, _ in stages} == {"parent", "train", "merge", "evaluate"}
    assert all(catalogue.stage(stage.digest).title == stage.title for _, stage in stages)


def test_each_stage_comes_after_those_it_needs(ran_heads):
    plan, before = plan_listed(ran_heads[1]), set()
    for _, stage in (each for stages in plan.rounds() for each in stages):
        assert {need.digest for need in stage.needs} <= before, stage.title
        before.add(stage.digest)


def test_a_digest_of_another_study_is_said(ran_heads):
    with pytest.raises(ExecutorError, match="a worker plans another study .* without the stage 0123456789abcdef"):
        Catalogue(ran_heads[1]).stage("0123456789abcdef")
