"""The callback in anybody's Trainer."""

import csv
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch import nn

from dfwe.errors import MergeError
from dfwe.merging.expert_array import ExpertArray, Layout
from dfwe.merging.methods.linear import TaskArithmetic
from dfwe.records import Coefficients, Evaluation, PartialEvaluation, Trial
from dfwe.search.optimizers.nevergrad import NevergradSearch
from dfwe.search.optimizers.sequence import Dirichlet, Grid
from dfwe.search.selection import Bagged, Uniform
from dfwe.search.space import Space
from dfwe.training.weight_search import WeightSearch, run_weight_search

ABC = Space(("a", "b", "c"))

BEST = torch.tensor([0.7, 0.2, 0.1])


class Anybodys(pl.LightningModule):
    """A module that has never heard of dfwe."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1, bias=False)

    def training_step(self, batch, batch_idx):
        return self.layer(batch).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(4, 3), batch_size=2)


def experts(module):
    return ExpertArray(("a", "b", "c"), Layout.of(module), torch.eye(3))


def search(budget=40):
    return NevergradSearch(ABC, optimizer="UnitNelderMead", seed=0, budget=budget, step=1.0, adaptive=False)


def closeness(module):
    return 1.0 - float((module.layer.weight.detach()[0] - BEST).norm())


def run(callback, module, epochs=0, *, logger=False):
    trainer = pl.Trainer(
        max_epochs=epochs,
        callbacks=[callback],
        logger=logger,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    trainer.fit(module)


@pytest.mark.parametrize("epochs", [0, 1])
def test_weight_search_leaves_the_best_weights(epochs):
    module = Anybodys()
    callback = WeightSearch(experts(module), search(), closeness)
    run(callback, module, epochs)
    assert len(callback.result.trials) == 40
    assert callback.result.best.evaluation.score == max(trial.evaluation.score for trial in callback.result.trials)
    assert closeness(module) == pytest.approx(callback.result.best.evaluation.score)
    assert closeness(module) > 0.97


def test_weight_search_reports_every_trial():
    module, told = Anybodys(), []
    run(WeightSearch(experts(module), search(5), closeness, on_trial=told.append), module)
    assert [trial.number for trial in told] == [1, 2, 3, 4, 5]
    assert told[0].kind == "uniform"


def test_weight_search_keeps_an_unbeaten_expert():
    module = Anybodys()
    perfect = Evaluation(1.0, {"m": 1.0}, (), torch.zeros(0, 0).numpy().astype("float64"))
    known = [Trial(0, "expert", Coefficients.vertex(("a", "b", "c"), of="b"), perfect)]
    run(WeightSearch(experts(module), search(5), closeness, initial_trials=known), module)
    assert module.layer.weight.detach()[0].tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(("scale", "num_evaluated"), [(1.0, 1), (0.5, 4)])
def test_weight_search_vertices_follow_the_method(scale, num_evaluated):
    module, told = Anybodys(), []
    array = ExpertArray(ABC.names, Layout.of(module), torch.eye(3), torch.zeros(3))
    score = Evaluation(0.0, {}, (), torch.zeros(0, 0).numpy().astype("float64"))
    known = [Trial(0, "expert", ABC.vertex(name), score) for name in ABC.experts]
    callback = WeightSearch(
        array,
        Grid(ABC, steps=1, seed=0, budget=4),
        closeness,
        method=TaskArithmetic(scale=scale),
        space=ABC,
        initial_trials=known,
        on_trial=told.append,
    )
    run(callback, module)
    assert len(told) == num_evaluated


def test_weight_search_parameters_own_their_storage():
    module = Anybodys()
    array = experts(module)
    run(WeightSearch(array, search(3), closeness), module)
    array.weights.zero_()
    assert module.layer.weight.detach().sum() == pytest.approx(1.0)


def test_weight_search_refuses_experts_of_another_shape():
    module = Anybodys()
    array = ExpertArray(("a",), Layout(("layer.weight",), (torch.Size([1, 4]),)), torch.zeros(1, 4))
    with pytest.raises(MergeError, match="neither Anybodys nor a module in it has the experts' parameters"):
        run(WeightSearch(array, search(), closeness), module)


def distance_bound(module, best):
    """Stops what is worse, and is generous about how much."""
    score = closeness(module)
    if score < best.score:
        return PartialEvaluation((score + best.score) / 2, ("far", None))
    return Evaluation(score, {}, ("near", "near"), torch.zeros(0, 0).numpy().astype("float64"))


@pytest.mark.parametrize("race", [None, distance_bound])
def test_weight_search_pruning_keeps_the_result(race):
    module, told = Anybodys(), []
    draws = Dirichlet(ABC, seed=0, budget=12)
    callback = WeightSearch(experts(module), draws, closeness, score_pruned=race, on_trial=told.append)
    run(callback, module)
    assert [trial.number for trial in told] == list(range(1, 13))
    assert len(callback.result.trials) + len(callback.result.pruned) == 12
    assert bool(callback.result.pruned) == (race is not None)
    assert all(isinstance(trial, Trial) for trial in callback.result.trials)
    assert callback.result.best.number == max(range(12), key=lambda n: closeness_at(told[n])) + 1
    assert closeness(module) == pytest.approx(callback.result.best.evaluation.score)


def closeness_at(trial):
    return 1.0 - float((torch.tensor(trial.coefficients.values) - BEST).norm())


def refuses(module, best):
    raise AssertionError("it raced")


@pytest.mark.parametrize("pick", [Bagged(resamples=10, margin=0.01), Uniform()])
def test_weight_search_rule_with_scores_does_not_prune(pick):
    module = Anybodys()

    def score(module):
        right = [float(closeness(module) > level) for level in (0.2, 0.4, 0.6, 0.8)]
        counts = torch.tensor([[each, 1.0] for each in right], dtype=torch.float64).numpy()
        return Evaluation(sum(right) / 4, {}, ("answer",) * 4, counts)

    draws = Dirichlet(ABC, seed=0, budget=6)
    callback = WeightSearch(
        experts(module),
        draws,
        score,
        selection=pick,
        score_pruned=refuses,
        totals_score=lambda t: t[..., 0] / t[..., 1],
    )
    run(callback, module)
    assert callback.result.pruned == ()


def test_weight_search_that_ranks_does_not_prune():
    module = Anybodys()
    callback = WeightSearch(experts(module), search(6), closeness, score_pruned=refuses)
    run(callback, module)
    assert (len(callback.result.trials), callback.result.pruned) == (6, ())


def test_weight_search_logs_bounds_apart_from_scores(tmp_path):
    module = Anybodys()
    callback = WeightSearch(experts(module), Dirichlet(ABC, seed=0, budget=12), closeness, score_pruned=distance_bound)
    logger = CSVLogger(str(tmp_path))
    run(callback, module, logger=logger)
    with (Path(logger.log_dir) / "metrics.csv").open() as file:
        rows = {int(row["step"]): row for row in csv.DictReader(file)}
    assert len(rows) == 12
    for trial in callback.result.trials:
        assert float(rows[trial.number]["search/dev"]) == pytest.approx(trial.evaluation.score)
        assert rows[trial.number]["search/bound"] == ""
    for trial in callback.result.pruned:
        assert rows[trial.number]["search/dev"] == ""
        assert float(rows[trial.number]["search/bound"]) == pytest.approx(trial.evaluation.bound)
        assert float(rows[trial.number]["search/answered"]) == 1


def rounded(module):
    """An approximate score: too high where the third expert has most of the weight."""
    return closeness(module) + float(module.layer.weight.detach()[0, 2] > 0.5)


def test_weight_search_rescores_until_best_is_exact():
    module = Anybodys()
    callback = WeightSearch(experts(module), Dirichlet(ABC, seed=0, budget=60), rounded, score_exact=closeness)
    run(callback, module)
    flattered = [trial for trial in callback.result.trials if trial.coefficients.values[2] > 0.5]
    assert flattered  # or nothing is tested here
    assert callback.result.best.coefficients.values[2] <= 0.5
    assert callback.result.best.evaluation.score == pytest.approx(closeness(module))
    assert callback.result.best.evaluation.score == max(trial.evaluation.score for trial in callback.result.trials)


def test_weight_search_rescores_the_uniform_merge_alone():
    module, asked = Anybodys(), []
    callback = WeightSearch(
        experts(module),
        Dirichlet(ABC, seed=0, budget=1),
        lambda module: 0.25,
        selection=Uniform(),
        score_exact=lambda module: asked.append(1) or closeness(module),
    )
    run(callback, module)
    assert len(asked) == 1
    assert callback.result.best.evaluation.score == pytest.approx(closeness(module))


def test_weight_search_evaluates_wrongly_pruned_trials():
    def told(score):
        return Evaluation(score, {}, ("near",), torch.zeros(0, 0).numpy().astype("float64"))

    def race(module, best):
        score = rounded(module)
        return PartialEvaluation(score, (None,)) if score < best.score - 1e-9 else told(score)

    raced, plain = Anybodys(), Anybodys()
    for module, more in ((raced, {"score_pruned": race}), (plain, {})):
        callback = WeightSearch(
            experts(module), Dirichlet(ABC, seed=0, budget=60), rounded, score_exact=closeness, **more
        )
        run(callback, module)
        assert callback.result.best.coefficients.values[2] <= 0.5
    torch.testing.assert_close(raced.layer.weight, plain.layer.weight)


def test_search_weights_matches_the_callback():
    lightning, plain = Anybodys(), nn.Linear(3, 1, bias=False)
    callback = WeightSearch(experts(lightning), search(), closeness)
    run(callback, lightning)
    array = ExpertArray(("a", "b", "c"), Layout.of(plain), torch.eye(3))
    result = run_weight_search(
        plain, array, search(), lambda model: 1.0 - float((model.weight.detach()[0] - BEST).norm())
    )
    assert torch.equal(plain.weight, lightning.layer.weight)
    assert [trial.evaluation.score for trial in result.trials] == [
        trial.evaluation.score for trial in callback.result.trials
    ]
