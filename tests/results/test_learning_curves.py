"""Learning curves in a study's results."""

import json

from dfwe.execution.local import describe
from dfwe.results.details import curve_results
from dfwe.stages.train import TrainStage
from dfwe.studies.plan import plan_study


def test_every_training_has_its_epochs_as_its_card_has_them(ran):
    folder, _, config = ran
    curves, study = json.loads((folder / "results.json").read_text())["curves"], plan_study(config)
    trainings = [stage for _, stage in study.stages() if isinstance(stage, TrainStage)]
    assert [curve["name"] for curve in curves] == [stage.recipe.name for stage in trainings]
    assert {curve["part"] for curve in curves} == {"train", "finetune", "baseline"}
    for curve, stage in zip(curves, trainings, strict=True):
        card = stage.result(study.family.context.store).card.result
        assert (curve["epochs"], curve["best_epoch"]) == (card["epochs"], card["best_epoch"])
        assert curve["epochs"][curve["best_epoch"] - 1]["target"] is not None


def test_what_is_no_training_has_no_curve(ran):
    study = plan_study(ran[2])
    merges = [(part, stage) for part, stage in study.stages() if part == "merge"]
    assert merges
    assert curve_results(merges, store=study.family.context.store) == []


def test_the_expert_on_all_tasks_is_called_so_while_it_is_made(ran):
    titles = [describe(part, stage) for part, stage in plan_study(ran[2]).stages()]
    assert "train expert on all tasks" in titles
    assert "fine-tune expert on all tasks" in titles
    assert "train expert meld" in titles
    assert not any(title.endswith("mixture") for title in titles)
