"""SMART: the largest change of the answers near an example's word embeddings, on models whose answer is a formula."""

import pytest
import torch

from dfwe.families.encoder.smart import Proximal, Smart, same_draws

LINE = torch.tensor([[2.0, -1.0], [0.5, 4.0]])  # one weight for each of two words of two numbers; |LINE|_1 = 7.5


def smart(**changes):
    settings = {"weight": 3.0, "epsilon": 0.01, "step": 1.0, "noise": 1e-3, "ascents": 1, "same_dropout": True}
    return Smart(**{**settings, "proximal": None, **changes})


def line(embeddings):
    """A linear model of sentence pairs: the second sentences count twice; [2 * batch, 2, 2] -> [batch, 1]."""
    first, second = (embeddings * LINE).sum((1, 2)).view(2, -1)
    return (first + 2 * second)[:, None]


def squares(outputs, others):
    return (outputs - others).square()[:, 0]


def symmetric_kl(outputs, others):
    p, q = outputs.softmax(-1), others.softmax(-1)
    return ((p - q) * (p.log() - q.log())).sum(-1)


def penalty(settings, embeddings, *, forward=line, divergences=squares):
    torch.manual_seed(0)
    outputs = forward(embeddings)
    return settings.penalty(forward, embeddings=embeddings, outputs=outputs, divergences=divergences)


def test_on_a_linear_model_the_penalty_is_lambda_times_epsilon_squared_times_the_weights_one_norm_squared():
    # the largest |w . delta| with |delta|_inf <= 0.01 is 0.01 |w|_1, here of both sentences: 0.01 (7.5 + 2 * 7.5)
    found = penalty(smart(), torch.randn(6, 2, 2, generator=torch.Generator().manual_seed(1)))
    assert found.item() == pytest.approx(3.0 * (0.01 * 22.5) ** 2, rel=1e-4)


@pytest.mark.parametrize("ascents", [0, 2])
def test_passes_are_as_many_as_a_step_reads_its_batch(ascents):
    read = []
    settings = smart(ascents=ascents)
    penalty(settings, torch.randn(6, 2, 2), forward=lambda embeddings: read.append(1) or line(embeddings))
    assert settings.passes == len(read) == 2 + ascents
    assert smart(proximal=Proximal(1.0, 0.9, 0.9, 0.1)).passes == 4  # once more by the averaged weights


def test_a_step_is_as_long_as_the_step_says_where_the_gradients_largest_element_is():
    # without a cut delta is step * w / max |w| over both sentences, max 8 (of the second), but for little noise
    found = penalty(smart(epsilon=1.0, step=0.1, noise=1e-6), torch.zeros(2, 2, 2))
    squared = 5 * (LINE**2).sum().item()
    assert found.item() == pytest.approx(3.0 * (0.1 * squared / 8) ** 2, rel=1e-3)


def test_without_an_ascent_the_penalty_is_that_of_the_noise():
    embeddings = torch.zeros(2, 2, 2)
    found = penalty(smart(ascents=0, epsilon=1.0), embeddings)
    torch.manual_seed(0)
    expected = 3.0 * line(1e-3 * torch.randn(2, 2, 2)).square().mean()
    torch.testing.assert_close(found, expected)


def test_noise_stays_within_epsilon_without_an_ascent():
    # noise of a thousand epsilons is cut to +- epsilon: |w . delta| <= epsilon |w|_1 of both sentences
    found = penalty(smart(ascents=0, noise=10.0), torch.zeros(2, 2, 2))
    assert found.item() <= 3.0 * (0.01 * 22.5) ** 2 * (1 + 1e-6)


def test_for_two_classes_the_penalty_is_the_symmetric_divergence_at_the_adversary():
    def logits(embeddings):
        score = (embeddings * LINE).sum((1, 2))
        return torch.stack([torch.zeros_like(score), score], -1)

    # at the logit 0 the answer is 1/2; 0.01 |w|_1 away it is sigma(0.075), either way: (sigma - 1/2) 0.075
    found = penalty(smart(), torch.zeros(3, 2, 2), forward=logits, divergences=symmetric_kl)
    assert found.item() == pytest.approx(3.0 * (torch.tensor(0.075).sigmoid().item() - 0.5) * 0.075, rel=1e-3)


def test_the_penaltys_gradient_reaches_the_weights_but_not_through_the_adversary():
    weights = LINE.clone().requires_grad_(True)

    def forward(embeddings):
        return (embeddings * weights).sum((1, 2))[:, None]

    found = penalty(smart(), torch.ones(1, 2, 2), forward=forward)
    assert weights.grad is None  # the ascent has left nothing behind
    found.backward()
    # of lambda (w . delta)^2 with delta = 0.01 sign(w) held fast
    torch.testing.assert_close(weights.grad, 3.0 * 2 * 0.01 * 7.5 * 0.01 * LINE.sign(), rtol=1e-4, atol=1e-7)


def test_an_answer_that_nothing_moves_costs_nothing():
    assert penalty(smart(), torch.ones(2, 2, 2), forward=lambda x: 0.0 * line(x)).item() == 0.0


def test_the_same_draws_come_again_and_leave_the_generator_where_it_was():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    draw = same_draws(lambda values: values + torch.rand(2), seed=5, device=torch.device("cpu"))
    assert torch.equal(draw(torch.zeros(2)), draw(torch.zeros(2)))
    assert torch.equal(before, torch.get_rng_state())


def test_without_a_seed_every_call_draws_anew():
    draw = same_draws(lambda values: values + torch.rand(2), seed=None, device=torch.device("cpu"))
    assert not torch.equal(draw(torch.zeros(2)), draw(torch.zeros(2)))


def test_the_average_follows_faster_at_first():
    proximal = Proximal(weight=1.0, factor=0.999, early_factor=0.99, early_share=0.1)
    assert [proximal.factor_at(share) for share in (0.0, 0.1, 0.11, 1.0)] == [0.99, 0.99, 0.999, 0.999]
