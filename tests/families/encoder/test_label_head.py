"""What logits mean."""

import math

import pytest
import torch
from torch import nn

from dfwe.errors import ConfigurationError, ModelError
from dfwe.families.encoder.heads import LabelHead

LABELS = ("bad", "fair", "good")
LOGITS = torch.tensor([[math.log(1), math.log(2), math.log(5)], [math.log(4), math.log(4), math.log(2)]])
OTHERS = torch.tensor([[math.log(1), math.log(1), math.log(6)], [math.log(4), math.log(4), math.log(2)]])


@pytest.fixture
def head():
    return LabelHead(nn.Identity(), labels=LABELS, num_sentences=1, pooling="cls")


def factors(head, logits):
    return head.fisher_factors(logits, sigma=1.0, samples=5, generator=torch.Generator())


def test_the_loss_is_minus_the_log_probability_of_the_gold_label(head):
    losses = head.losses(LOGITS, torch.tensor([2.0, 0.0]))
    assert torch.allclose(losses, -torch.tensor([5 / 8, 4 / 10]).log())


def test_the_loss_of_soft_labels_is_the_cross_entropy_with_them(head):
    soft = torch.tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])
    by_hand = [-(0.5 * math.log(1 / 8) + 0.25 * math.log(2 / 8) + 0.25 * math.log(5 / 8)), -math.log(0.4)]
    assert torch.allclose(head.losses(LOGITS, soft), torch.tensor(by_hand))


def test_soft_labels_that_are_one_hot_are_gold_labels(head):
    one_hot = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert torch.allclose(head.losses(LOGITS, one_hot), head.losses(LOGITS, torch.tensor([2.0, 0.0])))


def test_the_divergence_is_the_symmetric_kl(head):
    p, q = torch.tensor([1, 2, 5]) / 8, torch.tensor([1, 1, 6]) / 8
    by_hand = (p * (p / q).log()).sum() + (q * (q / p).log()).sum()
    assert torch.allclose(head.divergences(LOGITS, OTHERS), torch.tensor([by_hand, 0.0]), atol=1e-7)
    assert torch.allclose(head.divergences(OTHERS, LOGITS), torch.tensor([by_hand, 0.0]), atol=1e-7)


def test_the_divergence_has_a_gradient_on_both_sides(head):
    logits, others = LOGITS.clone().requires_grad_(), OTHERS.clone().requires_grad_()
    head.divergences(logits, others).sum().backward()
    assert logits.grad[0].abs().min() > 0
    assert others.grad[0].abs().min() > 0


def test_answers_are_the_likeliest_labels_and_scores_their_log_probabilities(head):
    assert head.answers(LOGITS) == ("good", "bad")
    assert torch.allclose(head.label_scores(LOGITS).exp()[1], torch.tensor([0.4, 0.4, 0.2]))


def test_the_factors_of_two_labels_are_by_hand(head):
    """p = (1/4, 3/4): diag(p) - p p' = 3/16 [[1, -1], [-1, 1]], whose factor is sqrt(3)/4 (1, -1)."""
    head.labels = ("no", "yes")
    found = factors(head, torch.tensor([[0.0, math.log(3)]]))
    assert found.shape == (1, 1, 2)
    assert torch.allclose(found[0, 0], torch.tensor([1.0, -1.0]) * math.sqrt(3) / 4)


def test_the_factors_products_add_up_to_the_scores_covariance(head):
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0)) * 3
    found = factors(head, logits)
    p = logits.softmax(-1)
    covariance = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    assert found.shape == (4, 6, 5)
    assert torch.allclose(torch.einsum("fbi,fbj->bij", found, found), covariance, atol=1e-6)


def test_the_factors_give_the_expected_squared_gradient_exactly(head):
    """Equation 1 by its definition, an expectation over labels, for a linear model of four weights a label."""
    generator = torch.Generator().manual_seed(1)
    inputs, weights = torch.randn(4, generator=generator), torch.randn(3, 4, generator=generator, requires_grad=True)
    logits = (weights @ inputs)[None]
    expected = torch.zeros(3, 4)
    for label in range(3):
        (gradient,) = torch.autograd.grad(logits.log_softmax(-1)[0, label], weights, retain_graph=True)
        expected += logits.softmax(-1)[0, label].detach() * gradient.square()
    found = torch.zeros(3, 4)
    for factor in factors(head, logits):
        (gradient,) = torch.autograd.grad((logits * factor).sum(), weights, retain_graph=True)
        found += gradient.square()
    assert torch.allclose(found, expected, rtol=1e-5)


def test_a_certain_answer_has_factors_of_zero_and_not_nan(head):
    found = factors(head, torch.tensor([[0.0, 500.0, -500.0], [2000.0, 0.0, 0.0], [0.0, 0.0, 3000.0]]))
    assert torch.equal(found, torch.zeros_like(found))


def test_factors_carry_no_gradient_and_draw_nothing(head):
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    found = head.fisher_factors(LOGITS.clone().requires_grad_(), sigma=1.0, samples=5, generator=generator)
    assert not found.requires_grad
    assert torch.equal(generator.get_state(), before)


def test_outputs_in_bfloat16_give_losses_in_float32(head):
    for found in (head.losses(LOGITS.bfloat16(), torch.tensor([2.0, 0.0])), head.label_scores(LOGITS.bfloat16())):
        assert found.dtype == torch.float32


def test_examples_without_labels_are_refused(head):
    with pytest.raises(ModelError, match="1 of 2 examples in a batch have no gold answer, one of bad, fair, good"):
        head.losses(LOGITS, torch.tensor([2.0, math.nan]))


def test_one_label_is_no_choice():
    with pytest.raises(ConfigurationError, match=r"two labels or more, not \['yes'\]"):
        LabelHead(nn.Identity(), labels=["yes"], num_sentences=1, pooling="cls")
