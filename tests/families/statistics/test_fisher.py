"""The diagonal Fisher information."""

import math

import pytest
import torch

from dfwe.families.seq2seq.calibration import Seq2SeqExample
from dfwe.families.statistics.fisher import DiagonalFisher


def question(source, *, target=(5, 1), candidates=()):
    return Seq2SeqExample(
        torch.tensor([source]), torch.tensor([target]), tuple(map(tuple, candidates)), max_new_tokens=4
    )


CLOSED = [
    question([3, 9, 20, 1], candidates=[[5, 6, 1], [7, 1], [5, 1]]),
    question([8, 1], candidates=[[7, 1], [9, 1]]),
]
FREE = [question([3, 9, 20, 1]), question([8, 11, 1], target=(30, 31, 1))]


def fisher(model, questions, *, answers="expected", samples=2, seed=0):
    collector = DiagonalFisher(examples=1, answers=answers, samples=samples)
    return collector.measure(model, questions, seed=seed, tell=lambda share: None)


def squared_gradient(model, likelihood):
    model.zero_grad()
    likelihood.backward()
    return {name: p.grad.square() for name, p in model.named_parameters() if p.grad is not None}


def teacher_forced(model, source, answer):
    logits = model(input_ids=source, labels=torch.tensor([answer])).logits[0].log_softmax(-1)
    return logits[torch.arange(len(answer)), list(answer)].sum()


def by_loops(model, questions):
    """The expectation over the closed set, one teacher-forced pass and one backward pass an answer."""
    total = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for each in questions:
        for place in range(len(each.candidates)):
            scores = torch.stack([teacher_forced(model, each.source, answer) for answer in each.candidates])
            likelihood = scores.log_softmax(0)[place]
            share = float(likelihood.detach().exp())
            for name, squares in squared_gradient(model, likelihood).items():
                total[name] += share * squares / len(questions)
    return total


def test_over_a_closed_set_it_is_the_exact_expectation(model):
    expected = by_loops(model, CLOSED)
    found = fisher(model, CLOSED)
    assert list(found) == [name for name, _ in model.named_parameters()]
    scale = max(float(each.max()) for each in expected.values())
    assert scale > 0
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], atol=1e-5 * scale, rtol=1e-3)


def test_two_labels_of_one_logit_by_hand(monkeypatch):
    """p = sigmoid(w x) and so F = x^2 p (1 - p); scores come unnormalised, 3 + w x and 3."""
    logistic = torch.nn.Module()
    logistic.weight = torch.nn.Parameter(torch.tensor(0.3))

    def scores(model, *, input_ids, **_):
        return 3.0 + torch.stack([model.weight * input_ids[0, 0], 0.0 * model.weight])

    monkeypatch.setattr("dfwe.families.seq2seq.calibration.candidate_log_likelihoods", scores)
    found = fisher(logistic, [question([x], candidates=[[1], [2]]) for x in (2, 5)])
    shares = {x: 1 / (1 + math.exp(-0.3 * x)) for x in (2, 5)}
    expected = sum(x * x * p * (1 - p) for x, p in shares.items()) / 2
    assert float(found["weight"]) == pytest.approx(expected, rel=1e-5)


def test_drawn_answers_of_a_closed_set_give_the_expectation_in_the_mean(model):
    expected, one = fisher(model, CLOSED), fisher(model, CLOSED, answers="sampled", samples=1)
    many = fisher(model, CLOSED, answers="sampled", samples=100_000)  # no more gradients than answers
    for name, tensor in many.items():
        torch.testing.assert_close(tensor, expected[name], rtol=0.05, atol=0.02 * float(expected[name].max()))
    assert not torch.allclose(one["shared.weight"], expected["shared.weight"], rtol=0.05)


def test_examples_are_squared_one_by_one(model):
    alone = [fisher(model, [each], answers="gold") for each in FREE]
    together = fisher(model, FREE, answers="gold")
    for name, tensor in together.items():
        torch.testing.assert_close(tensor, (alone[0][name] + alone[1][name]) / 2)
    expected = squared_gradient(model, teacher_forced(model, FREE[1].source, [30, 31, 1]))
    for name, tensor in expected.items():
        torch.testing.assert_close(alone[1][name], tensor, rtol=1e-3, atol=1e-6)


def test_free_text_is_drawn_from_the_model_and_the_seed_says_what(model):
    before = torch.get_rng_state()
    found, again, other = (fisher(model, FREE, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(found[name], again[name]) for name in found)
    assert not torch.equal(found["shared.weight"], other["shared.weight"])


def test_drawn_texts_stop_at_their_end_and_come_as_often_as_the_model_says(model):
    with torch.no_grad():
        model.shared.weight.mul_(0.02)  # nearly uniform over the words
    texts = FREE[0].drawn_texts(model, samples=400, seed=0)
    ends = [text[0].tolist() for text in texts]
    assert all(1 not in text[:-1] and len(text) <= 4 for text in ends)
    assert len({text[0] for text in ends}) > 150  # 300 words, 400 draws: about 220 are seen
    assert torch.isfinite(FREE[0].log_likelihood(model, texts[0]))


def test_the_model_is_left_as_it_was(model):
    model.train()
    fisher(model, CLOSED)
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_each_model_has_its_own_questions(model):
    collector = DiagonalFisher(examples=2, answers="expected", samples=1)
    shares = []
    found = collector.collect([model, model], questions=[CLOSED, CLOSED[:1]], seed=0, tell=shares.append)
    assert not collector.together
    assert torch.equal(found[1]["shared.weight"], fisher(model, CLOSED[:1])["shared.weight"])
    assert not torch.equal(found[0]["shared.weight"], found[1]["shared.weight"])
    assert shares[-1] == 1.0
