"""What rows cost, and which are dearer than others."""

import json

import pytest

from dfwe.results.costs import Costs, add_times_baseline, not_dearer, num_models
from dfwe.stages.ensemble import EnsembleStage
from dfwe.store.card import Card
from dfwe.studies.plan import plan_study


@pytest.fixture(scope="module")
def study(ran, small):
    return plan_study(small(ran[1]))


@pytest.fixture(scope="module")
def rows(ran):
    return {row["name"]: row for row in json.loads((ran[0] / "results.json").read_text())["models"]}


def test_a_trained_token_counts_as_three_answered_ones(study, rows):
    tokens = {split: study.family.num_split_tokens(study.target, split=split) for split in ("train", "dev")}
    epochs = rows["baseline"]["epochs"]
    cost = Costs(study.family.context.store).of(study.baseline)
    assert cost["train_tokens"] == epochs * tokens["train"]
    assert cost["training"] == epochs * (3 * tokens["train"] + tokens["dev"])


def test_a_sources_own_dev_answers_count(study):
    source = next(stage for stage in study.trained.values() if stage.source_task is not None)
    store, answered = study.family.context.store, [study.target, source.source_task]
    epochs = len(source.result(store).card.result["epochs"])
    num = sum(len(study.family.instances(task, split="dev")) for task in answered)
    assert Costs(store).of(source)["dev_answers"] == epochs * num


def test_a_merge_costs_its_experts_and_its_own_answers(study, rows):
    merge, experts = rows["nelder_mead"], [row["cost"] for row in rows.values() if row["kind"] == "expert"]
    dev, answers = study.family.num_split_tokens(study.target, split="dev"), rows["nelder_mead"]["dev_answers"]
    searched = answers * dev / len(study.family.instances(study.target, split="dev"))
    assert merge["cost"]["training"] == pytest.approx(sum(cost["training"] for cost in experts) + searched, abs=4)
    assert merge["cost"]["models"] == 1
    times = merge["cost"]["training"] / rows["baseline"]["cost"]["training"]
    assert merge["cost"]["times_baseline"] == pytest.approx(times)
    assert rows["baseline"]["cost"]["times_baseline"] == 1


def test_tokens_of_a_split_are_those_that_training_reads(study):
    recipe = study.baseline.recipe
    assert study.family.num_split_tokens(study.target, split="train") == study.family.num_tokens(
        recipe, epochs=1, seed=0
    )


@pytest.mark.parametrize(
    ("result", "num"), [({}, 3), ({"coefficients": {"a": 0.5, "b": 0.0, "c": 0.5}}, 2), ({"coefficients": None}, 3)]
)
def test_members_of_an_ensemble_that_have_a_weight_answer(study, result, num):
    members = dict.fromkeys("abc", study.baseline)
    ensemble = EnsembleStage(study.family, members, {}, study.target)
    assert num_models(ensemble, card=Card("ensemble", "0", {}, result, {}, {})) == num


def row(name, training, models=1):
    return {"name": name, "cost": {"training": training, "models": models}}


def test_dearer_rows_and_those_of_unknown_cost_are_left_out():
    merge = row("merge", 4)
    others = [row("as_dear", 4), row("cheap", 1), row("ensemble", 1, 2), row("dear", 5), row("elsewhere", None)]
    assert [other["name"] for other in not_dearer(merge, rows=[merge, *others])] == ["cheap", "as_dear"]
    assert not_dearer(others[-1], rows=[merge, *others]) is None


def test_costs_are_multiples_of_the_baselines():
    rows = [row("merge", 5), row("baseline", 2), row("elsewhere", None)]
    add_times_baseline(rows)
    assert [other["cost"]["times_baseline"] for other in rows] == [2.5, 1.0, None]
    add_times_baseline(rows[:1])
    assert rows[0]["cost"]["times_baseline"] is None
