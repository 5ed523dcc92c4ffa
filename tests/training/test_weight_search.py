"""The callback in anybody's Trainer."""

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from dfwe.errors import MergeError
from dfwe.merging.experts import ExpertArray, Layout
from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.nevergrad import NevergradSearch
from dfwe.training.weight_search import WeightSearch

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
    return NevergradSearch(3, optimizer="UnitNelderMead", seed=0, budget=budget, step=1.0, adaptive=False)


def closeness(module):
    return 1.0 - float((module.layer.weight.detach()[0] - BEST).norm())


def run(callback, module, epochs=0):
    trainer = pl.Trainer(
        max_epochs=epochs,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
    )
    trainer.fit(module)


@pytest.mark.parametrize("epochs", [0, 1])
def test_it_leaves_the_module_with_the_best_weights(epochs):
    module = Anybodys()
    callback = WeightSearch(experts(module), search(), closeness)
    run(callback, module, epochs)
    assert len(callback.trials) == 40
    assert callback.best.evaluation.score == max(trial.evaluation.score for trial in callback.trials)
    assert closeness(module) == pytest.approx(callback.best.evaluation.score)
    assert closeness(module) > 0.97


def test_every_trial_is_told():
    module, told = Anybodys(), []
    run(WeightSearch(experts(module), search(5), closeness, on_trial=told.append), module)
    assert [trial.number for trial in told] == [1, 2, 3, 4, 5]
    assert told[0].kind == "uniform"


def test_a_known_expert_that_nothing_beats_is_kept():
    module = Anybodys()
    perfect = Evaluation(1.0, {"m": 1.0}, (), torch.zeros(0, 0).numpy().astype("float64"))
    known = [Trial(0, "expert", Coefficients.vertex(("a", "b", "c"), of="b"), perfect)]
    run(WeightSearch(experts(module), search(5), closeness, known=known), module)
    assert module.layer.weight.detach()[0].tolist() == [0.0, 1.0, 0.0]


def test_the_parameters_have_storage_of_their_own_afterwards():
    module = Anybodys()
    array = experts(module)
    run(WeightSearch(array, search(3), closeness), module)
    array.weights.zero_()
    assert module.layer.weight.detach().sum() == pytest.approx(1.0)


def test_experts_of_another_shape_are_refused():
    module = Anybodys()
    array = ExpertArray(("a",), Layout(("layer.weight",), (torch.Size([1, 4]),)), torch.zeros(1, 4))
    with pytest.raises(MergeError, match="neither Anybodys nor a module in it has the experts' parameters"):
        run(WeightSearch(array, search(), closeness), module)
