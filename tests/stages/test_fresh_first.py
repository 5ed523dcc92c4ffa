"""Trainings whose fresh parameters come first: what the stage says, refuses and does."""

import pytest
import torch
from safetensors.torch import load_file

from dfwe.errors import ConfigurationError
from dfwe.studies.plan import plan_study

FIRST = "trainer.train.fresh_first={epochs: 1, learning_rate: 1e-2}"
CLASSIFIER = (
    "+target=meld", "sources=[emory_emotion]", "model=bert_toy_classifier", "model.pretrain=null",
    "model.source.vocab_size=300",
    "model.source.config={hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, "
    "max_position_embeddings: 128}",
    "data.generator.num_train=12", "data.generator.num_dev=8", "data.generator.num_test=8", "trainer.threads=1",
    "trainer.train={epochs: 2, patience: 2, stop_on: last}", "trainer.head_first=false",
    "baselines=[]", "diagnostics=[]",
)  # fmt: skip


@pytest.fixture
def study(composed, tmp_path):
    """A function from overrides to the planned study."""
    return lambda *more: plan_study(composed(*CLASSIFIER, *more, f"paths.store={tmp_path}/store"))


def trained(study, *more):
    stage = study(*more).trained["meld"]
    return stage, stage.result(stage.family.context.store)


def test_heads_alone_are_trained_before_all_else(study):
    stage, entry = trained(study, FIRST, "trainer.train.learning_rate=1e-9")
    base, after = stage.family.model(stage.recipe.tasks), load_file(entry.file("weights.safetensors"))
    moved = {name: float((after[name] - p.detach()).abs().max()) for name, p in base.named_parameters()}
    assert moved["heads.meld.network.classifier.weight"] > 1e-3  # at the first epoch's rate
    assert max(moved[name] for name in moved if not name.startswith("heads.")) < 1e-4  # at the second's
    assert any(torch.is_tensor(p) and moved[name] > 0 for name, p in base.named_parameters() if "encoder." in name)


def test_a_spec_names_fresh_first_only_where_it_is_set(study):
    assert "fresh_first" not in study().trained["meld"].spec()["fit"]
    first = study(FIRST).trained["meld"].spec()["fit"]["fresh_first"]
    assert first == {"epochs": 1, "learning_rate": 1e-2}


REFUSED = [
    (["trainer.train.fresh_first={epochs: 2, learning_rate: 1e-3}"], "fresh_first.epochs=2 must be below epochs=2"),
    (
        ["trainer.train.fresh_first={epochs: 3, learning_rate: 1e-3}", "trainer.train={epochs: 9, stop_on: target}"],
        "fresh_first.epochs=3 must be below epochs=9 and at most patience=2",
    ),
    ([FIRST, "trainer.devices=2", "trainer.strategy=ddp"], "fresh_first is for trainings of all weights in one"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_fresh_first_that_cannot_work_is_refused_in_the_plan(study, overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        study(*overrides)


def test_a_base_model_without_fresh_parameters_is_refused(small, tmp_path):
    stage = plan_study(small(tmp_path, FIRST)).trained["meld"]
    with pytest.raises(ConfigurationError, match="fresh_first trains what a base model lacks.* t5_toy lacks nothing"):
        stage.result(stage.family.context.store)
