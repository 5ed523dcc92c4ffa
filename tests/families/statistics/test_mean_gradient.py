"""The mean gradient of the loss."""

import math

import pytest
import torch

from dfwe.families.seq2seq.calibration import Seq2SeqExample
from dfwe.families.statistics.mean_gradient import MeanGradient


def question(source, *, target=(5, 1), candidates=()):
    return Seq2SeqExample(
        torch.tensor([source]), torch.tensor([target]), tuple(map(tuple, candidates)), max_new_tokens=4
    )


QUESTIONS = [question([3, 9, 20, 1]), question([8, 11, 1], target=(30, 31, 1))]
SET = ((5, 6, 1), (7, 1), (5, 1))


def mean_gradient(model, questions, *, answers):
    return MeanGradient(examples=1, answers=answers).measure(model, questions, seed=0, tell=lambda share: None)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    found = {name: torch.zeros_like(p) if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    return found


def assert_same(found, expected):
    assert list(found) == list(expected)
    scale = max(float(each.abs().max()) for each in expected.values())
    assert scale > 0
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], atol=1e-5 * scale, rtol=1e-3)


def test_of_texts_it_is_the_gradient_of_the_trainings_mean_loss(model):
    losses = [model(**each.inputs, labels=each.target).loss for each in QUESTIONS]
    expected = gradients(model, sum(losses) / 2)
    assert_same(mean_gradient(model, QUESTIONS, answers="text"), expected)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_of_a_closed_set_it_is_the_gradient_of_the_answer_among_the_set(model):
    asked = question([3, 9, 20, 1], candidates=SET)

    def log_likelihood(answer):
        return -model(**asked.inputs, labels=torch.tensor([answer])).loss * len(answer)

    scores = torch.stack([log_likelihood(answer) for answer in SET])
    expected = gradients(model, -scores.log_softmax(0)[2])
    assert_same(mean_gradient(model, [asked], answers="set"), expected)


def test_two_labels_of_one_logit_by_hand(monkeypatch):
    """p = sigmoid(w x), the loss -log p: its derivative by w is -x (1 - p)."""
    logistic = torch.nn.Module()
    logistic.weight = torch.nn.Parameter(torch.tensor(0.3))

    def scores(model, *, input_ids, **_):
        return 3.0 + torch.stack([model.weight * input_ids[0, 0], 0.0 * model.weight])

    monkeypatch.setattr("dfwe.families.seq2seq.calibration.candidate_log_likelihoods", scores)
    asked = [question([x], target=(1,), candidates=[[1], [2]]) for x in (2, 5)]
    found = mean_gradient(logistic, asked, answers="set")
    expected = sum(-x * (1 - 1 / (1 + math.exp(-0.3 * x))) for x in (2, 5)) / 2
    assert float(found["weight"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("candidates", [(), ((7, 1), (9, 1))], ids=["no set", "another set"])
def test_an_answer_that_is_in_no_set_is_a_text(model, candidates):
    asked = [question([3, 9, 20, 1], candidates=candidates)]
    found, text = (mean_gradient(model, asked, answers=answers) for answers in ("set", "text"))
    assert all(torch.equal(found[name], text[name]) for name in text)


def test_dropout_is_off_and_the_model_stays_as_it_was(model):
    model.train()
    first, again = (mean_gradient(model, QUESTIONS, answers="text") for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert model.training


def test_the_collector_gives_each_model_the_gradient_on_its_own_questions(model):
    told = []
    collector = MeanGradient(examples=2, answers="text")
    found = collector.collect([model, model], questions=[QUESTIONS[:1], QUESTIONS], seed=0, tell=told.append)
    assert_same(found[1], mean_gradient(model, QUESTIONS, answers="text"))
    assert told == [1.0, 0.5, 1.0]
    assert not collector.together
