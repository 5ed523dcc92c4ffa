"""Stages made once, and experts that know nothing of the target."""

import pytest

from dfwe.families.base import TrainingRecipe
from dfwe.merging.expert_array import Layout, load_experts
from dfwe.stages.train import TrainStage
from dfwe.studies.context import study_family
from dfwe.studies.plan import plan_study
from dfwe.studies.sources import study_tasks
from dfwe.studies.stage_factory import StageFactory


@pytest.fixture
def own(small, tmp_path):
    """A factory whose experts stop on their own dev score, the target, and a source."""
    config = small(tmp_path / "store", "trainer.train.stop_on=own", "trainer.train.epochs=3")
    target, sources = study_tasks(config)
    family, _ = study_family(config, tasks=(target, *sources))
    return StageFactory(family), target, sources[0]


def test_asked_again_it_gives_the_same_stage(own):
    factory, target, source = own
    first, again, other = (
        factory.train_source_experts(target, sources=(source,), seed=seed, finetuned=True) for seed in (0, 0, 1)
    )
    assert all(first[name] is again[name] for name in first)
    assert all(first[name] is not other[name] for name in first)


def test_an_expert_for_every_target_is_the_one_that_a_target_would_have_had(own):
    factory, target, source = own
    shared = factory.train_source_experts(target, sources=(source,), seed=0, finetuned=True)[source.short]
    trainer, family = factory.family.context.trainer, factory.family
    recipe = TrainingRecipe("x", (source,), target, trainer["train"], trainer["batch_size"])
    for_target = TrainStage(family, recipe, None, 0)
    assert for_target.digest != shared.digest
    stages = {"shared": shared, "for target": for_target}
    files = {name: stage.result(family.context.store).file("weights.safetensors") for name, stage in stages.items()}
    weights = load_experts(files, layout=Layout.of(family.model(()))).weights
    assert (weights[0] == weights[1]).all()


def test_a_stage_that_stops_on_the_target_knows_it(small, tmp_path):
    study = plan_study(small(tmp_path / "store"))
    assert all(stage.recipe.objective is study.target for stage in study.trained.values())
