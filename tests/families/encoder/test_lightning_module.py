"""Training a model with heads: what a step does, and a run killed at an epoch goes on bit for bit."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader
from transformers import BertConfig, BertModel

from dfwe.errors import ModelError
from dfwe.families.encoder.gradient_surgery import Surgery
from dfwe.families.encoder.lightning_module import MultiTask
from dfwe.families.encoder.smart import Proximal, Smart
from dfwe.families.multi_head.heads.classification import Classification
from dfwe.families.multi_head.heads.regression import Regression
from dfwe.families.multi_head.model import MultiHead
from dfwe.merging.expert_array import save_weights
from dfwe.records import Evaluation
from dfwe.training.fit import FitSettings, fit_expert

SMART = Smart(weight=1.0, epsilon=1e-2, step=1e-2, noise=1e-3, ascents=1, same_dropout=True, proximal=None)
PROXIMAL = Proximal(weight=1.0, factor=0.9, early_factor=0.5, early_share=0.1)


def model(dropout=0.0):
    torch.manual_seed(1)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    drops = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    encoder = BertModel(BertConfig(vocab_size=30, max_position_embeddings=8, **shape, **drops))
    mood = Classification(("text",), "pooler", dropout).build(width=16, labels=("good", "bad", "so-so"))
    likeness = Regression(("one", "other"), "mean", dropout, hidden=8).build(width=16, labels=())
    return MultiHead(encoder, heads={"mood": mood, "likeness": likeness}).train()


def batch(task, generator, *, size=4, length=6):
    rows = size * (2 if task == "likeness" else 1)
    mask = torch.ones(rows, length, dtype=torch.int64)
    mask[0, 4:] = 0
    return {
        "task": task,
        "input_ids": torch.randint(30, (rows, length), generator=generator),
        "attention_mask": mask,
        "gold": torch.randint(3, (size,), generator=generator).float(),
    }


def steps(*tasks, number=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [[batch(task, generator) for task in tasks] for _ in range(number)]


class Steps(pl.LightningDataModule):
    """The same steps in every epoch."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def train_dataloader(self):
        return DataLoader(self.steps, batch_size=None)


def module(start, **changes):
    settings = {"gradient_clip": None, "surgery": None, "smart": None, "light_dropout": False}
    optimizer = partial(torch.optim.SGD, lr=0.1)
    weights = {"mood": 0.5, "likeness": 2.0}
    return MultiTask(start, **{"optimizer": optimizer, "weights": weights, **settings, **changes})


def fit(trained, data, folder, *, score=None, logger=False, **changes):
    folder.mkdir(exist_ok=True)
    settings = {"epochs": 1, "patience": 9, "stop_on": "last" if score is None else "target", "accumulate": 1}
    format = {"gradient_clip": None, "precision": "32-true", "accelerator": "cpu", "checkpoint": True}
    fitted = fit_expert(
        trained,
        data=Steps(data),
        settings=FitSettings(**{**settings, **format, **changes}),
        target=score,
        own=None,
        seed=7,
        folder=folder,
        save=save_weights,
        logger=logger,
    )
    return load_file(fitted.weights)


def gradients(start, one):
    """Those of a batch's mean loss, by parameter."""
    loss = start.head(one["task"]).losses(start(one), one["gold"]).mean()
    return torch.autograd.grad(loss, list(start.parameters()), allow_unused=True)


def moved(start, gradient):
    """The weights after a step of 0.1 along the gradient."""
    return {
        name: value.detach() if step is None else value.detach() - 0.1 * step
        for (name, value), step in zip(start.named_parameters(), gradient, strict=True)
    }


def assert_close(found, expected, **tolerance):
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, **tolerance)


def test_a_step_goes_along_the_weighted_sum_of_the_tasks_gradients(tmp_path):
    data = steps("mood", "likeness")
    first, second = (gradients(model(), one) for one in data[0])
    pairs = [
        (0.0 if a is None else 0.5 * a) + (0.0 if b is None else 2 * b) for a, b in zip(first, second, strict=True)
    ]
    assert_close(fit(module(model()), data, tmp_path), moved(model(), pairs))


@pytest.mark.parametrize("scope", ["parameter", "whole"])
def test_with_surgery_a_step_goes_along_what_surgery_makes_of_them(tmp_path, scope):
    data, surgery = steps("mood", "likeness", seed=6), Surgery(scope, seed=3)  # half of the tensors conflict
    each = [[None if g is None else g.clone() for g in gradients(model(), one)] for one in data[0]]
    combined = surgery.combine(each, weights=[0.5, 2.0], epoch=0, batch=0)
    found = fit(module(model(), surgery=surgery), data, tmp_path / "a")
    assert_close(found, moved(model(), combined))
    plain = fit(module(model()), data, tmp_path / "b")
    assert any(not torch.allclose(found[name], plain[name]) for name in plain)


@pytest.mark.parametrize("surgery", [None, Surgery("parameter", seed=0)])
def test_the_head_of_a_task_that_is_not_in_a_step_stays_as_it_is(tmp_path, surgery):
    optimizer = partial(torch.optim.AdamW, lr=0.1, weight_decay=0.5)
    found = fit(module(model(), optimizer=optimizer, surgery=surgery), steps("mood", number=3), tmp_path)
    for name, value in model().named_parameters():
        assert torch.equal(found[name], value) == name.startswith("heads.likeness"), name


def test_a_step_is_clipped(tmp_path):
    found = fit(module(model(), gradient_clip=0.01), steps("mood", "likeness"), tmp_path)
    lengths = [(found[name] - value).norm() for name, value in model().named_parameters()]
    assert torch.stack(lengths).norm().item() == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_smart_without_room_changes_nothing_and_with_it_something(tmp_path):
    data = steps("mood", "likeness", number=2)
    plain = fit(module(model()), data, tmp_path / "a")
    for name, smart, same in (("b", replace(SMART, epsilon=0.0), True), ("c", SMART, False)):
        found = fit(module(model(), smart=smart), data, tmp_path / name)
        assert all(torch.allclose(found[key], plain[key], atol=1e-6) for key in plain) == same


def test_the_proximal_point_begins_at_the_weights_of_the_start_and_follows_them(tmp_path):
    quiet = replace(SMART, weight=0.0, proximal=PROXIMAL)
    trained = module(model(), smart=quiet)
    with torch.no_grad():
        trained.model.heads["mood"].network.output.bias.fill_(1.0)  # weights that are loaded later count, too
    started = {name: value.clone() for name, value in trained.model.state_dict().items()}
    fit(trained, steps("mood", "likeness"), tmp_path)
    for name, value in trained.average.named_parameters():
        torch.testing.assert_close(value, 0.5 * started[name] + 0.5 * trained.model.state_dict()[name])


def test_the_proximal_point_holds_training_back(tmp_path):
    data = steps("mood", number=4)
    held = replace(SMART, weight=0.0, proximal=replace(PROXIMAL, factor=1.0, early_factor=1.0))
    far, near = (fit(module(model(), smart=smart), data, tmp_path / name) for name, smart in (("a", None), ("b", held)))
    key = "heads.mood.network.output.weight"
    start = model().get_parameter(key)
    assert (near[key] - start).norm() < (far[key] - start).norm()


class Killed(Exception):
    pass


class Scripted:
    """Dev scores that grow, until the training is killed."""

    def __init__(self, *, kill_at=99):
        self.calls, self.kill_at = 0, kill_at

    def __call__(self, model):
        self.calls += 1
        if self.calls == self.kill_at:
            raise Killed
        return Evaluation(self.calls / 10, {"m": 0.0}, (), np.zeros((1, 1)))


@pytest.mark.parametrize("same_dropout", [True, False])
def test_a_killed_training_goes_on_at_its_epoch_bit_for_bit(tmp_path, same_dropout):
    def run(folder, score):
        trained = module(
            model(dropout=0.2),
            optimizer=partial(torch.optim.AdamW, lr=1e-2, fused=True),
            surgery=Surgery("parameter", seed=1),
            smart=replace(SMART, same_dropout=same_dropout, proximal=PROXIMAL),
            light_dropout=True,
        )
        torch.manual_seed(99)  # what was drawn before must not matter
        torch.rand(len(list(tmp_path.rglob("*"))))
        return fit(trained, steps("mood", "likeness", number=2), folder, score=score, epochs=3)

    whole = run(tmp_path / "a", Scripted())
    with pytest.raises(Killed):
        run(tmp_path / "b", Scripted(kill_at=2))
    resumed = run(tmp_path / "b", Scripted())
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


def test_in_bfloat16_a_step_is_nearly_the_same_and_the_weights_stay_float32(tmp_path):
    data, extras = steps("mood", "likeness"), {"surgery": Surgery("whole", seed=0), "smart": SMART}
    exact = fit(module(model(), **extras), data, tmp_path / "a")
    rounded = fit(module(model(), **extras), data, tmp_path / "b", precision="bf16-mixed")
    assert all(value.dtype == torch.float32 for value in rounded.values())
    assert any(not torch.equal(rounded[name], exact[name]) for name in exact)
    assert_close(rounded, exact, rtol=0.05, atol=0.01)


def test_losses_are_logged_by_task(tmp_path):
    rows = []

    class Kept(pl.loggers.logger.DummyLogger):
        def log_metrics(self, metrics, step=None):
            rows.append(metrics)

    data = steps("mood", "likeness")
    fit(module(model()), data, tmp_path, logger=Kept())
    for one in data[0]:
        start = model()
        expected = start.head(one["task"]).losses(start(one), one["gold"]).mean().item()
        name = f"train_loss/{one['task']}"
        assert [row[name] for row in rows if name in row] == [pytest.approx(expected, rel=1e-5)]


@pytest.mark.parametrize("smart", [None, SMART])
@pytest.mark.parametrize(
    ("change", "message"),
    [({"task": "irony"}, "no head for task 'irony'"), ({"gold": torch.tensor([0.0, np.nan])}, "no gold answer")],
)
def test_a_batch_without_a_head_or_without_labels_is_refused(tmp_path, smart, change, message):
    one = {**batch("likeness", torch.Generator(), size=2), **change}
    with pytest.raises(ModelError, match=message):
        fit(module(model(), weights={"irony": 1.0, "likeness": 1.0}, smart=smart), [[one]], tmp_path)
