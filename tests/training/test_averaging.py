"""Averages of weights along a training: by hand, beside the same training without them, and after a kill."""

from dataclasses import replace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dfwe.merging.expert_array import save_weights
from dfwe.records import Evaluation
from dfwe.training.fit import FitSettings, fit_expert
from dfwe.training.fresh_first import FreshFirst

SETTINGS = FitSettings(
    epochs=4, patience=9, stop_on="target", accumulate=1, gradient_clip=None, precision="32-true", accelerator="cpu",
    checkpoint=True,
)  # fmt: skip
MEAN_OF_2, MOVING = {"epochs": 2}, {"decay": 0.3}


class Killed(Exception):
    pass


class Regression(pl.LightningModule):
    """A linear model with dropout and a frozen bias; remembers its weights after each of the optimizer's steps."""

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Dropout(0.2), nn.Linear(3, 1))
        with torch.no_grad():
            self.model[1].weight.copy_(torch.tensor([[0.1, -0.2, 0.3]]))
            self.model[1].bias.fill_(0.4)
        self.model[1].bias.requires_grad = False
        self.steps = []

    def training_step(self, batch, index):
        return (self.model(batch[0]).squeeze(1) - batch[1]).square().mean()

    def on_train_batch_end(self, outputs, batch, batch_idx):
        if self.global_step > len(self.steps):
            self.steps.append(weight_of(self.model))

    def configure_optimizers(self):
        return torch.optim.SGD([self.model[1].weight], lr=0.1)


class Recorded:
    """Scores as the script says; remembers the weights that it was shown, and ends the run at None."""

    def __init__(self, *scores):
        self.scores, self.shown = list(scores), []

    def __call__(self, model):
        score = self.scores[len(self.shown)]
        self.shown.append(weight_of(model))
        if score is None:
            raise Killed
        return Evaluation(score, {"m": score}, (f"epoch {len(self.shown)}",), np.zeros((1, 1)))


def weight_of(model):
    return model[1].weight.detach().clone()


def train(folder, score, *, module=None, more_callbacks=(), **settings):
    folder.mkdir(exist_ok=True)
    inputs = torch.arange(24, dtype=torch.float32).view(8, 3).sin()
    data = pl.LightningDataModule.from_datasets(TensorDataset(inputs, inputs.sum(1)), batch_size=2)
    data.train_dataloader = lambda: DataLoader(TensorDataset(inputs, inputs.sum(1)), batch_size=2)
    return fit_expert(
        module or Regression(), data=data, settings=replace(SETTINGS, **settings), target=score, own=None, seed=7,
        folder=folder, save=save_weights, more_callbacks=more_callbacks,
    )  # fmt: skip


@pytest.fixture
def plain(tmp_path):
    """The training without an average: its weights by epoch and by step."""
    module, score = Regression(), Recorded(0.1, 0.2, 0.3, 0.4)
    train(tmp_path / "plain", score, module=module)
    return score.shown, module.steps


def test_the_mean_of_two_epochs_is_what_is_scored(plain, tmp_path):
    score = Recorded(0.1, 0.2, 0.3, 0.4)
    train(tmp_path / "a", score, averaging=MEAN_OF_2)
    first, second, third, fourth = plain[0]
    expected = [first, (first + second) / 2, (second + third) / 2, (third + fourth) / 2]
    torch.testing.assert_close(score.shown, expected, rtol=1e-6, atol=0)
    assert not torch.equal(score.shown[1], second)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_moving_average_takes_each_step_in(tmp_path, accumulate):
    module, score = Regression(), Recorded(0.1, 0.2, 0.3, 0.4)
    train(tmp_path / "a", score, module=module, averaging=MOVING, accumulate=accumulate)
    assert len(module.steps) == 16 / accumulate
    mean = module.steps[0]
    for number, weight in enumerate(module.steps, start=1):
        decay = min(0.3, number / (9 + number))
        mean = decay * mean + (1 - decay) * weight
        if number % (4 / accumulate) == 0:
            torch.testing.assert_close(score.shown[number * accumulate // 4 - 1], mean, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("averaging", [MEAN_OF_2, MOVING])
def test_an_average_leaves_the_training_as_it_is(plain, tmp_path, averaging):
    module = Regression()
    train(tmp_path / "a", Recorded(0.1, 0.2, 0.3, 0.4), module=module, averaging=averaging)
    assert all(torch.equal(step, other) for step, other in zip(module.steps, plain[1], strict=True))
    assert torch.equal(weight_of(module.model), plain[0][-1])


@pytest.mark.parametrize("averaging", [MEAN_OF_2, MOVING])
def test_the_best_average_is_kept_with_frozen_weights(tmp_path, averaging):
    score, module = Recorded(0.1, 0.6, 0.2, 0.3), Regression()
    fit = train(tmp_path / "a", score, module=module, averaging=averaging)
    assert (fit.choice.epoch, fit.predictions) == (1, ("epoch 2",))
    weights = load_file(fit.weights)
    assert torch.equal(weights["1.weight"], score.shown[1])
    assert torch.equal(weights["1.bias"], module.model[1].bias)


@pytest.mark.parametrize("averaging", [MEAN_OF_2, MOVING])
def test_a_killed_training_goes_on_with_its_average_bit_for_bit(tmp_path, averaging):
    whole = Recorded(0.1, 0.2, 0.3, 0.4)
    fit = train(tmp_path / "a", whole, averaging=averaging)
    with pytest.raises(Killed):
        train(tmp_path / "b", Recorded(0.1, 0.2, None), averaging=averaging)
    rest = Recorded(0.3, 0.4)
    resumed = train(tmp_path / "b", rest, averaging=averaging)
    assert all(torch.equal(*pair) for pair in zip(rest.shown, whole.shown[2:], strict=True))
    assert resumed.history == fit.history
    assert resumed.weights.read_bytes() == fit.weights.read_bytes()


class Thawing(Regression):
    """The same, whose bias is trained, too, once it is thawed."""

    def configure_optimizers(self):
        return torch.optim.SGD(self.model[1].parameters(), lr=0.1)


@pytest.mark.parametrize("averaging", [MEAN_OF_2, MOVING])
def test_what_is_frozen_at_first_is_averaged_from_when_it_is_trained(tmp_path, averaging):
    module, thaw = Thawing(), FreshFirst(frozenset({"1.weight"}), epochs=1, learning_rate=0.1, then=0.1)
    fit = train(tmp_path, Recorded(0.1, 0.2), module=module, epochs=2, averaging=averaging, more_callbacks=[thaw])
    kept, last = load_file(fit.weights), module.model[1]
    if averaging is MEAN_OF_2:  # the bias has been trained for one epoch, the weights for two
        assert torch.equal(kept["1.bias"], last.bias)
        assert torch.allclose(kept["1.weight"], (module.steps[3] + module.steps[7]) / 2)
    else:
        low, high = sorted((0.4, last.bias.item()))
        assert low < float(kept["1.bias"]) < high
