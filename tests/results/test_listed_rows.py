"""What the results of a study of models with heads say beside scores."""

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest

from dfwe.results.costs import Costs
from dfwe.stages.base import Stage
from dfwe.studies.listed import plan_listed

SINGLE = {"SST": "single_sst", "QDPD": "single_quora", "STS": "single_sts"}


@pytest.fixture(scope="module")
def rows(ran_heads):
    return {row["name"]: row for row in json.loads((ran_heads[0] / "results.json").read_text())["models"]}


@pytest.fixture(scope="module")
def study(ran_heads):
    return plan_listed(ran_heads[1])


def test_single_task_models_are_named(ran_heads):
    assert json.loads((ran_heads[0] / "results.json").read_text())["single"] == SINGLE


def cost(study, name):
    return Costs(study.family.context.store).of(study.models[name])


def test_every_defined_score_has_an_interval_around_it(rows):
    for row in rows.values():
        scores, ends = row["test"]["tasks"], row["test"]["intervals"]
        assert set(ends) == {column for column, score in scores.items() if score is not None}
        assert all(ends[column][0] <= scores[column] <= ends[column][1] for column in ends)
        assert ("interval" in row["test"]) == (row["test"]["score"] is not None)


def test_models_and_merges_are_compared_with_the_single_task_models_and_these_with_nothing(rows):
    for name, row in rows.items():
        if row["kind"] == "single":
            assert "differences" not in row
            continue
        for column, found in row["differences"].items():
            single = rows[SINGLE[column]]["test"]["tasks"][column]
            assert found["delta"] == pytest.approx(row["test"]["tasks"][column] - single), name
            assert found["p"] <= found["p_holm"] <= 1


def test_merges_have_optimism_and_diagnostics(rows):
    merge = rows["nelder_mead"]
    assert merge["search_diagnostics"]["evaluated"] == 3
    assert merge["optimism"] == pytest.approx(merge["dev"]["score"] - merge["test"]["score"])
    assert not {"optimism", "search_diagnostics"} & set(rows["surgery"])


def test_a_cost_is_of_the_model_and_what_it_starts_from(study, rows):
    # 24 examples a task in batches, an epoch; one batch of each task is a step where they are joint
    batches = -(-24 // study.models["surgery"].recipe.batch_size)
    assert rows["single_sst"]["cost"]["train_steps"] == batches
    assert rows["round_robin"]["cost"]["train_steps"] == 3 * batches
    assert rows["surgery"]["cost"]["train_steps"] == batches
    assert rows["surgery_snli"]["cost"]["train_steps"] == batches + cost(study, "snli")["train_steps"]
    assert rows["surgery"]["cost"]["dev_answers"] == 3 * 12
    # snli, which does not count in the score, is the objective of its training and all that it trains on: asked once
    assert rows["surgery_snli"]["cost"]["dev_answers"] == 3 * 12 + 12


def test_tokens_are_those_of_the_examples_and_smart_reads_them_three_times(study, rows):
    tasks = study.objective.tasks.values()
    tokens = [study.family.encode(task, split="train").tokens for task in tasks]
    whole = [sum(len(ids) for example in each for ids in example) for each in tokens]
    assert rows["single_sst"]["cost"]["train_tokens"] == whole[0]
    assert rows["surgery"]["cost"]["train_tokens"] == rows["round_robin"]["cost"]["train_tokens"] == sum(whole)
    assert rows["surgery_smart"]["cost"]["train_tokens"] == 3 * sum(whole)


def test_a_merge_costs_its_models_each_once_and_its_search(rows):
    members = [rows[name]["cost"] for name in rows["nelder_mead"]["of"]]
    merge = rows["nelder_mead"]["cost"]
    snli = rows["surgery_snli"]["cost"]
    for key in ("train_steps", "train_tokens"):
        assert merge[key] == sum(each[key] for each in members)
    assert merge["dev_answers"] == sum(each["dev_answers"] for each in members) + (3 + 1) * 36  # bagging adds the mean
    assert merge["bytes"] == sum(each["bytes"] for each in members)
    assert snli["bytes"] > rows["surgery"]["cost"]["bytes"]


@dataclass(frozen=True)
class Pruning(Stage):
    """A stage between a training and what is made of it."""

    kind: ClassVar[str] = "pruning"
    training: Stage

    @property
    def title(self):
        return "prune"

    def spec(self):
        return {"training": self.training.digest}

    @property
    def needs(self):
        return (self.training,)

    def make(self, folder, *, tell):
        (folder / "mask.txt").write_text("1010")
        return {"seconds": 0.5}, ("mask.txt",)


def test_the_cost_follows_a_stage_of_another_kind(study, rows):
    between, training = Pruning(study.models["surgery"]), rows["surgery"]["cost"]
    found = Costs(study.family.context.store).of(Pruning(between))
    same = {"bytes": None, "seconds": None, "times_baseline": None}
    assert found | same == training | same
    assert found["bytes"] == training["bytes"] + 2 * len("1010")
    assert found["seconds"] == pytest.approx(training["seconds"] + 2 * 0.5)


def test_a_joint_epoch_reads_of_a_longer_task_what_it_has_steps_for(heads_tables, tmp_path):
    longer = "data.generator.rows.sentiment={train: 60, dev: 12, test: 12}"
    study = plan_listed(heads_tables(tmp_path, longer, "trainer.batch_size=12"))
    joint, all_examples = study.models["surgery"], study.models["round_robin"]
    assert [stage.family.num_steps(stage.recipe, epochs=1) for stage in (joint, all_examples)] == [2, 5 + 2 + 2]
    assert joint.num_tokens(1) < all_examples.num_tokens(1)
    assert joint.family.num_steps(joint.recipe, epochs=2) == 4
