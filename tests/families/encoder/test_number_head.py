"""What one output means."""

import math

import pytest
import torch
from torch import nn

from dfwe.errors import ConfigurationError, ModelError
from dfwe.families.encoder.heads import NumberHead

OUTPUTS = torch.tensor([[1.0], [4.2]])


@pytest.fixture
def head():
    return NumberHead(nn.Identity(), labels=(), num_sentences=2, pooling="mean")


def test_the_loss_is_the_squared_error(head):
    assert torch.allclose(head.losses(OUTPUTS, torch.tensor([3.0, 4.0])), torch.tensor([4.0, 0.04]), atol=1e-6)


def test_the_divergence_is_the_squared_difference(head):
    assert torch.equal(head.divergences(OUTPUTS, OUTPUTS + 2), torch.tensor([4.0, 4.0]))


def test_answers_are_numbers_that_read_back_as_they_were(head):
    answers = head.answers(torch.tensor([[1 / 3], [5.0]]))
    assert torch.equal(torch.tensor([float(answer) for answer in answers]), torch.tensor([1 / 3, 5.0]))
    assert head.label_scores(OUTPUTS) is None


def test_the_factor_is_the_root_mean_square_of_the_draws_over_sigma(head):
    generator = torch.Generator().manual_seed(7)
    found = head.fisher_factors(OUTPUTS, sigma=0.5, samples=5, generator=generator)
    draws = torch.randn(5, 2, generator=torch.Generator().manual_seed(7))
    assert found.shape == (1, 2, 1)
    assert torch.allclose(found[0, :, 0], draws.square().mean(0).sqrt() / 0.5)


def test_many_samples_come_near_the_gaussians_own_information(head):
    """The Fisher information of a Gaussian's mean is 1 / sigma^2; the mean of n squares varies by sqrt(2 / n)."""
    found = head.fisher_factors(OUTPUTS, sigma=2.0, samples=20_000, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(found.square(), torch.tensor(0.25), rtol=4 * math.sqrt(2 / 20_000))


def test_the_squared_gradient_is_the_mean_over_drawn_answers(head):
    """Figure 3 by its definition, for y = w x: the mean of (d log N(y; mu, sigma^2) / dw)^2 over what was drawn."""
    weight, x, sigma = torch.tensor(0.7, requires_grad=True), 3.0, 0.5
    mean = (weight * x)[None, None]
    expected = 0.0
    for z in torch.randn(5, 1, generator=torch.Generator().manual_seed(2))[:, 0]:
        drawn = mean.detach() + sigma * z
        (gradient,) = torch.autograd.grad(-((drawn - mean) ** 2).sum() / (2 * sigma**2), weight, retain_graph=True)
        expected += float(gradient) ** 2 / 5
    factor = head.fisher_factors(mean, sigma=sigma, samples=5, generator=torch.Generator().manual_seed(2))[0]
    (gradient,) = torch.autograd.grad((mean * factor).sum(), weight)
    assert float(gradient) ** 2 == pytest.approx(expected, rel=1e-5)


def test_examples_without_a_number_are_refused(head):
    with pytest.raises(ModelError, match="2 of 2 examples in a batch have no gold answer, a number is expected"):
        head.losses(OUTPUTS, torch.tensor([math.nan, math.nan]))


def test_labels_are_refused():
    with pytest.raises(ConfigurationError, match="takes no labels, the task has no, yes"):
        NumberHead(nn.Identity(), labels=["no", "yes"], num_sentences=2, pooling="mean")
