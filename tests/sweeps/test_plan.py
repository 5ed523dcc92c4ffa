"""What a sweep needs, what is there, what the rest will take."""

from dataclasses import dataclass

import pytest
import torch
from hydra import compose

from dfwe.stages.train import TrainStage
from dfwe.store.card import Card
from dfwe.studies.plan import load_plan, plan_study
from dfwe.studies.study import Study, StudyPlan
from dfwe.sweeps.memory_estimates import memory_of
from dfwe.sweeps.plan import plan_sweep, summary


@pytest.fixture
def studies(ran, small):
    """A function from overrides to the plan of the study that has run, changed by these."""
    before = torch.get_num_threads()
    yield lambda *overrides: plan_study(small(ran[1], *overrides))
    torch.set_num_threads(before)


@dataclass(frozen=True)
class WithAnother(StudyPlan):
    """A plan of two stages of a study, one of them in a part that there is not."""

    study: Study
    name = None
    is_resolved = False

    @property
    def family(self):
        return self.study.family

    def parts(self):
        return iter([("prune", self.study.baseline), ("evaluate", next(iter(self.study.evaluations.values())))])

    def resolve(self):
        return self.study


def counts(plan):
    return {name: (row["needed"], row["there"], row["to_do"]) for name, row in plan["rows"].items()}


def test_a_finished_study_needs_nothing(studies):
    plan = summary([studies()])
    assert counts(plan) == {"parents": (1, 1, 0), "experts": (9, 9, 0), "merges": (2, 2, 0), "evaluations": (8, 8, 0)}
    assert all(row["seconds"] == 0 for row in plan["rows"].values())


def test_another_merge_needs_itself_its_evaluation_and_its_best_mixture_alone(studies):
    plan = summary([studies(), studies("merge=linear", "merge.search.budget=7")])
    assert plan["jobs"] == 2
    assert counts(plan) == {"parents": (1, 1, 0), "experts": (9, 9, 0), "merges": (3, 2, 1), "evaluations": (10, 8, 2)}
    assert plan["rows"]["experts"]["separately"] == 18


def test_another_seed_takes_as_long_as_the_first(studies, ran):
    cards = [Card.read(folder) for folder in ran[1].glob("train-*")]
    row = summary([studies("seed=5")])["rows"]["experts"]
    assert (row["to_do"], row["unknown"], row["alike"]) == (9, 0, 9)
    assert row["bytes"] == pytest.approx(9 * sum(f["bytes"] for f in cards[0].files.values()), rel=0.05)
    seconds = [card.result["seconds"] for card in cards]
    assert 9 * min(seconds) <= row["seconds"] <= 9 * max(seconds)


def test_memory_is_of_weights_gradients_and_optimizer(studies):
    study = studies("seed=5")
    weights = sum(value.numel() for value in study.family.model(study.family.tasks[:1]).parameters()) * 4
    rows = summary([study])["rows"]
    adam = 2
    assert rows["experts"]["memory"] == weights * (2 + adam)
    with_checkpoint = summary([studies("seed=5", "trainer.checkpoint=true")])["rows"]["experts"]["memory"]
    assert with_checkpoint == weights * (2 + adam + 1 + adam)
    num_experts = max(len(merge.experts) for merge in study.merges.values())
    assert rows["merges"]["memory"] == rows["evaluations"]["memory"] == weights * (num_experts + 2)
    assert summary([studies()])["rows"]["experts"]["memory"] is None


def test_memory_of_a_student_is_that_of_a_training(studies):
    study = studies("seed=5", "data.shots=6", "baselines=[distilled]")
    assert memory_of(study.baselines["distilled"]) == memory_of(study.baseline)


def test_memory_of_an_average_has_the_last_weights_too(studies):
    study = studies("seed=5", "baselines=[checkpoint_average,ema]")
    weights = sum(value.numel() for value in study.family.model(study.family.tasks[:1]).parameters()) * 4
    more = {name: memory_of(stage) - memory_of(study.baseline) for name, stage in study.baselines.items()}
    assert more == {"checkpoint_average": 4 * weights, "ema": 2 * weights}


def test_memory_of_surgery_has_a_gradient_per_task(composed, tiny_bert, tmp_path):
    model = ["model=bert_base_heads", f"model.source.name={tiny_bert}", f"paths.store={tmp_path}"]
    numbers = "weight: 1.0, factor: 0.9, early_factor: 0.9, early_share: 0.0"
    point = f"multitask.smart.proximal={{_target_: dfwe.families.encoder.smart.Proximal, {numbers}}}"
    settings = ["trainer.checkpoint=false", point]
    plan = load_plan(composed("experiment=cuts_and_stitches", *model, *settings))
    memory = {stage.recipe.name: memory_of(stage) for _, stage in plan.parts() if isinstance(stage, TrainStage)}
    weights = memory["round_robin"] / 4  # themselves, one gradient, and Adam's two numbers
    assert memory["surgery"] == weights * (4 + 2)  # three tasks
    assert memory["surgery_smart"] == weights * (4 + 2 + 1)


def test_memory_is_unknown_before_the_parent_is_there(studies):
    assert summary([studies("model.seed=1")])["rows"]["experts"]["memory"] is None


def test_a_part_without_a_row_of_its_own_is_among_other_stages(studies):
    study = studies("seed=5")
    plan = summary([WithAnother(study)])
    assert (counts(plan)["other stages"], counts(plan)["evaluations"]) == ((1, 0, 1), (1, 0, 1))
    assert "other stages" not in counts(summary([study]))


def test_another_parent_is_unknown(studies):
    row = summary([studies("model.seed=1")])["rows"]["experts"]
    assert (row["to_do"], row["unknown"], row["bytes"]) == (9, 9, 0)


def test_a_job_that_cannot_run_is_listed_and_the_others_are_planned(multirun, small_overrides, tmp_path):
    jobs, _ = multirun(*small_overrides, f"paths.store={tmp_path}", "+target=emory_emotion,meld")
    plan = plan_sweep(jobs, compose=lambda overrides: compose("config", overrides=list(overrides)))
    assert plan["jobs"] == 1
    assert [each["job"] for each in plan["failed"]] == [0]
    assert "the target 'emory_emotion' is among its sources" in plan["failed"][0]["message"]
    assert not list(tmp_path.glob("train-*"))


def test_memory_of_experts_on_disk_is_that_of_one_model(studies):
    weights = summary([studies("seed=5")])["rows"]["merges"]["memory"]
    num_experts = max(len(merge.experts) for merge in studies("seed=5").merges.values())
    on_disk = summary([studies("seed=5", "merge.experts_in=disk")])["rows"]
    assert on_disk["merges"]["memory"] == weights * 2 / (num_experts + 2)
