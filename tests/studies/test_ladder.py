"""Early epochs of the sources' experts beside those that train in full."""

import json

import pytest
import torch

from dfwe.merging.expert_array import flat_weights
from dfwe.run_study import run_study
from dfwe.studies.plan import plan_study

EARLY = ("emory_emotion_epoch_1", "personality_epoch_1")


@pytest.fixture(scope="module")
def laddered(small, tmp_path_factory):
    """A study whose sources have an early expert each, that has run, and its rows by name."""
    folder, store = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("store")
    config = small(store, "stages.ladder=[1]", "baselines=[ensemble]", "report=false", "export=false")
    run_study(config, folder=folder)
    results = json.loads((folder / "results.json").read_text())
    return plan_study(config), {row["name"]: row for row in results["models"]}


def weights(study, stage):
    return flat_weights(stage.model(stage.result(study.family.context.store)))


def test_early_experts_are_rows_and_join_every_merge(laddered):
    study, rows = laddered
    experts = ("meld", "mixture", "emory_emotion", "personality", *EARLY)
    assert tuple(study.trained) == tuple(study.experts) == experts
    assert all(set(rows[merge]["coefficients"]) == set(experts) for merge in ("uniform", "nelder_mead"))
    assert set(study.baselines["ensemble"].experts) == set(experts)
    for name in EARLY:
        assert (rows[name]["kind"], rows[name]["epochs"], rows[name]["best_epoch"]) == ("expert", 1, 1)
        assert rows[name]["cost"]["train_steps"] * 2 == rows[name.removesuffix("_epoch_1")]["cost"]["train_steps"]
    assert rows["uniform"]["cost"]["train_steps"] == sum(rows[name]["cost"]["train_steps"] for name in experts)


def test_an_early_expert_is_the_first_epoch_of_the_full_training(laddered, small):
    study, _ = laddered
    store = study.family.context.store.root
    short = plan_study(small(store, "trainer.train.epochs=1", "trainer.finetune.epochs=1"))
    for name in EARLY:
        full = name.removesuffix("_epoch_1")
        assert torch.equal(weights(study, study.trained[name]), weights(short, short.trained[full]))
        assert torch.equal(weights(study, study.experts[name]), weights(short, short.experts[full]))


def test_early_experts_that_are_fine_tuned_know_no_target(laddered, small):
    study, _ = laddered
    store = study.family.context.store.root
    other = plan_study(small(store, "+target=character_identification", "stages.ladder=[1]"))
    assert [other.trained[name].digest for name in EARLY] == [study.trained[name].digest for name in EARLY]
    assert all(other.experts[name].digest != study.experts[name].digest for name in EARLY)


def test_a_ladder_leaves_all_other_trainings_as_they_were(laddered, small):
    study, _ = laddered
    plain = plan_study(small(study.family.context.store.root))
    digests = {stage.digest for _, stage in study.stages()}
    assert {stage.digest for stage in (*plain.trained.values(), *plain.experts.values())} <= digests
    assert plain.merges["uniform"].digest not in digests


def test_without_fine_tuning_early_experts_are_merged(small, tmp_path):
    study = plan_study(small(tmp_path, "stages.ladder=[1]", "stages.skip=[finetune]"))
    assert not study.experts
    assert set(EARLY) < set(study.merges["uniform"].experts)
    assert all(study.trained[name].recipe.objective is study.target for name in EARLY)


def test_the_long_baseline_counts_early_experts(small, tmp_path):
    studies = [
        plan_study(small(tmp_path, "baselines=[same_compute]", f"stages.ladder={each}")) for each in ("[]", "[1]")
    ]
    plain, laddered = (study.baselines["same_compute"].recipe.fit["epochs"] for study in studies)
    assert laddered > plain
