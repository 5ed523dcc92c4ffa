"""A merge's best mixture, its experts apart."""

import json

import numpy as np
import pytest

from dfwe.results.document import study_results
from dfwe.stages.merge import expert_of
from dfwe.stages.mixture import MixtureStage
from dfwe.stages.train import TrainStage
from dfwe.store.card import Card
from dfwe.store.store import Entry
from dfwe.studies.plan import plan_study


@pytest.fixture
def as_if(monkeypatch):
    """A function that makes the stage believe that its merge kept an expert."""
    return lambda: monkeypatch.setattr("dfwe.stages.mixture.expert_of", lambda entry: "meld")


@pytest.fixture
def stage(ran):
    """That of the study's merge."""
    return plan_study(ran[2]).mixtures["nelder_mead"]


def test_expert_of_ignores_tuned_parameters(tmp_path):
    values = {"meld": 0.9, "snli": 0.1, "method.scale": 1.5}
    card = Card("merge", "0", {}, {"picked": "expert", "coefficients": values}, {}, {})
    assert expert_of(Entry(tmp_path, card)) == "meld"


def test_mixture_exists_for_every_searched_merge(ran, small):
    study = plan_study(small(ran[1], "+merge@merges.second=ties"))
    assert list(study.mixtures) == ["ties", "nelder_mead"]
    assert not plan_study(small(ran[1], "stages.until=merge")).mixtures


def test_mixture_of_a_mixture_costs_nothing(ran, stage, tmp_path):
    row = next(
        row for row in json.loads((ran[0] / "results.json").read_text())["models"] if row["name"] == "nelder_mead"
    )
    assert row["is_expert"] is None
    assert stage.make(tmp_path, tell=lambda share: None) == ({"kept": True, "seconds": 0.0}, ())
    mixture = row["mixture"]
    assert (mixture["is_merge"], mixture["dev"], mixture["test"]) == (True, row["dev"]["score"], row["test"]["score"])
    assert (mixture["coefficients"], mixture["cost"]["test_answers"]) == (row["coefficients"], 0)
    assert mixture["delta"] == pytest.approx(row["delta"])


def test_mixture_applies_the_same_selection_rule(stage, tmp_path, as_if):
    """Where the merge kept a mixture that is the one; its answers are those of the merge."""
    as_if()
    found, files = stage.make(tmp_path, tell=lambda share: None)
    entry = stage.merge.result(stage.merge.family.context.store)
    kept = entry.card.result
    assert {key: found[key] for key in ("picked", "trial", "coefficients", "dev")} == {
        key: kept[key] for key in ("picked", "trial", "coefficients", "dev")
    }
    answers = [each["prediction"] for each in json.loads((tmp_path / files[0]).read_text())]
    scorer = stage.merge.family.scorer(stage.merge.target, split="test")
    assert answers == list(scorer(stage.merge.model(entry), exact=True).predictions)
    assert found["test_answers"] == len(answers)


def test_mixture_replaces_a_selected_expert(ran, small, monkeypatch):
    """Every expert is told to be perfect on dev: the merge keeps one, its best mixture is one all the same."""
    honest = TrainStage.dev

    def perfect(stage, entry):
        gold = tuple(each.references[0] for each in stage.family.instances(stage.recipe.objective, split="dev"))
        return stage.family.scorer(stage.recipe.objective, split="dev").evaluate(gold)

    study = plan_study(small(ran[1], "merge.name=beaten"))
    monkeypatch.setattr(TrainStage, "dev", perfect)
    for stage in study.evaluations.values():
        stage.result(study.family.context.store)
    study.mixtures["beaten"].result(study.family.context.store)
    monkeypatch.setattr(TrainStage, "dev", honest)
    found = study_results(study, seconds={})
    row = next(row for row in found["models"] if row["name"] == "beaten")
    assert row["selection"] == "expert"
    assert row["is_expert"] in study.experts
    mixture, rows = row["mixture"], {each["name"]: each for each in found["models"]}
    assert (mixture["is_merge"], mixture["selection"] in ("uniform", "search", "bagged")) == (False, True)
    assert np.count_nonzero(list(mixture["coefficients"].values())) > 1
    assert mixture["dev"] < row["dev"]["score"] == 1.0
    assert mixture["cost"]["test_answers"] == found["n"]["test"]
    assert mixture["delta"] == pytest.approx(mixture["test"] - rows["baseline"]["test"]["score"])
    assert row["test"]["score"] == rows[row["is_expert"]]["test"]["score"]
    assert {"code": "same_as_expert", "subject": "beaten"}.items() <= found["warnings"][-1].items()


def test_mixture_needs_the_merge(stage):
    assert stage.spec()["merge"] == stage.merge.digest
    assert stage.merge in stage.needs
    assert isinstance(stage, MixtureStage)
