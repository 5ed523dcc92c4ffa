"""The diagonal Fisher information of a model with heads."""

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel

from dfwe.errors import ConfigurationError, DataError, ModelError
from dfwe.families.encoder.data import SentenceSplit, sentence_batch
from dfwe.families.encoder.heads import LabelHead, NumberHead
from dfwe.families.multi_head.fisher import HeadFisher
from dfwe.families.multi_head.heads.classification import Classification
from dfwe.families.multi_head.heads.pair_classification import PairClassification
from dfwe.families.multi_head.heads.similarity import SimilarityHead
from dfwe.families.multi_head.model import MultiHead
from dfwe.records import Instance

WIDTH = 16


def split(task, *, num=7, sentences=1, seed=0, lengths=(3, 8), words=40):
    generator = np.random.default_rng(seed)
    tokens = tuple(
        tuple(generator.integers(1, words, size=generator.integers(*lengths)).tolist() for _ in range(sentences))
        for _ in range(num)
    )
    instances = tuple(Instance(f"{task}{n}", "d", "", "", ("x",), ("x",)) for n in range(num))
    return SentenceSplit(task, instances, tokens, np.zeros(num), pad_id=0)


def fisher(model, *splits, seed=0, **settings):
    asked = {"examples": 100, "weights": {}, "sigma": 0.5, "samples": 5, "batch_size": 4} | settings
    return HeadFisher(**asked).collect([model], questions=[splits], seed=seed)[0]


@pytest.fixture
def model():
    """A tiny BERT in training mode, with a head of each kind."""
    torch.manual_seed(0)
    config = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    encoder = BertModel(BertConfig(vocab_size=40, max_position_embeddings=12, **config))
    pair = {"columns": ["a", "b"], "pooling": "mean", "dropout": 0.3, "hidden": 6}
    mood = Classification(["a"], pooling="pooler", dropout=0.3).build(width=WIDTH, labels=["bad", "okay", "good"])
    same = PairClassification(**pair, features=["u", "v", "abs_difference"]).build(width=WIDTH, labels=["no", "yes"])
    alike = SimilarityHead(**pair, squash="identity", k=1.0, low=0.0, high=5.0).build(width=WIDTH, labels=[])
    return MultiHead(encoder, heads={"mood": mood, "same": same, "alike": alike}).train()


class Straight(nn.Module):
    """Outputs that are linear in the tokens' numbers."""

    def __init__(self, weight, *, head):
        super().__init__()
        self.layer = nn.Linear(len(weight[0]), len(weight))
        self.layer.weight.data, self.layer.bias.data = torch.tensor(weight), torch.zeros(len(weight))
        self.head = lambda task: head

    def forward(self, batch):
        return self.layer(batch["input_ids"].float())


def by_loops(model, found, *, weight=1.0):
    """Over examples alone, over labels: share times the squared gradient of the label's log-likelihood."""
    model.eval()
    total = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for member in range(len(found)):
        scores = model(sentence_batch(found, [member])).log_softmax(-1)[0]
        for score in scores:
            model.zero_grad()
            score.backward(retain_graph=True)
            for name, p in model.named_parameters():
                if p.grad is not None:
                    total[name] += weight / len(found) * score.exp().detach() * p.grad.square()
    model.zero_grad()
    return total


def assert_same(found, expected):
    assert list(found) == list(expected)
    scale = max(float(each.max()) for each in expected.values())
    assert scale > 0
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, expected[name], atol=1e-6 * scale, rtol=1e-3, msg=lambda m, n=name: n + m)


def test_of_a_logistic_regression_in_closed_form():
    """log p(y|x) has the gradient (1[y = k] - p_k) x_i by weight ki: F = mean over x of p_k (1 - p_k) x_i^2."""
    head = LabelHead(nn.Identity(), labels=["a", "b", "c"], num_sentences=1, pooling="cls")
    weight = [[0.2, -0.1], [0.05, 0.3], [-0.2, 0.1]]
    points = split("points", lengths=(2, 3), words=4)
    found = fisher(Straight(weight, head=head), points)
    x = torch.tensor([each[0] for each in points.tokens]).double()
    p = (x @ torch.tensor(weight).double().t()).softmax(-1)
    variances = p * (1 - p)
    torch.testing.assert_close(found["layer.bias"].double(), variances.mean(0), rtol=1e-5, atol=0)
    expected = variances.t() @ x.square() / len(x)
    torch.testing.assert_close(found["layer.weight"].double(), expected, rtol=1e-5, atol=0)


def test_of_a_gaussian_regression_in_closed_form():
    """log N(y; w x, sigma^2) has the gradient (y - w x) x_i / sigma^2: F = mean over x of x_i^2 / sigma^2."""
    head = NumberHead(nn.Identity(), labels=[], num_sentences=1, pooling="cls")
    points = split("points", lengths=(2, 3))
    found = fisher(Straight([[0.3, -0.2]], head=head), points, sigma=0.5, samples=200_000)
    x = torch.tensor([each[0] for each in points.tokens]).float()
    torch.testing.assert_close(found["layer.weight"], x.square().mean(0)[None] / 0.25, rtol=0.02, atol=0)
    few = fisher(Straight([[0.3, -0.2]], head=head), points, sigma=0.5, samples=5)["layer.weight"]
    assert not torch.allclose(few, found["layer.weight"], rtol=0.02)
    wide = fisher(Straight([[0.3, -0.2]], head=head), points, sigma=1.0, samples=5)["layer.weight"]
    torch.testing.assert_close(wide * 4, few)


@pytest.mark.parametrize(("task", "sentences"), [("mood", 1), ("same", 2)])
def test_of_labels_it_is_the_expectation_of_squared_gradients_example_by_example(model, task, sentences):
    examples = split(task, sentences=sentences)
    assert_same(fisher(model, examples), by_loops(model, examples))


def test_of_numbers_it_is_the_squared_gradient_times_the_squares_of_the_draws(model):
    examples = split("alike", num=1, sentences=2)
    found = fisher(model, examples)
    model.eval()
    model(sentence_batch(examples, [0])).backward()
    ratio = found["heads.alike.network.hidden.weight"] / model.heads["alike"].network.hidden.weight.grad.square()
    assert float(ratio.mean()) > 0
    for name, p in model.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(found[name], float(ratio.median()) * p.grad.square(), rtol=1e-2, atol=1e-5)


def test_what_takes_no_part_in_a_tasks_answers_is_zero(model):
    found = fisher(model, split("same", sentences=2))
    assert not found["encoder.pooler.dense.weight"].any()  # the head takes means
    assert not found["heads.mood.network.output.weight"].any()
    assert not found["encoder.embeddings.word_embeddings.weight"][0].any()  # padding


def test_tasks_add_up_by_their_weights_and_none_changes_anothers_examples(model):
    mood, same = split("mood"), split("same", sentences=2, seed=1)
    both = fisher(model, mood, same, weights={"mood": 0.5}, examples=3)
    alone = fisher(model, mood, examples=3), fisher(model, same, examples=3)
    assert_same(both, {name: 0.5 * alone[0][name] + alone[1][name] for name in both})


def test_batches_change_nothing_but_rounding(model):
    examples = split("same", sentences=2)
    assert_same(fisher(model, examples, batch_size=1), fisher(model, examples, batch_size=100))


class Unusual(nn.Module):
    """A layer used twice; one that all rows share; parameters without a layer."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.first, self.layer = kind, nn.Embedding(40, 4), nn.Linear(4, 4)
        self.table = nn.Parameter(torch.randn(1, 4, 4)) if kind == "bare" else torch.randn(1, 4, 4)
        self.head = lambda task: LabelHead(nn.Identity(), labels=list("abcd"), num_sentences=1, pooling="cls")

    def forward(self, batch):
        words = self.first(batch["input_ids"])
        if self.kind == "twice":
            return self.layer(self.layer(words).tanh()).mean(1)
        return (words * (self.layer(self.table) if self.kind == "shared" else self.layer(words) * self.table)).mean(1)


@pytest.mark.parametrize("kind", ["twice", "shared", "bare"])
def test_a_model_of_other_layers_takes_long_and_is_right(caplog, kind):
    torch.manual_seed(0)
    slow, examples = Unusual(kind), split("mood", lengths=(4, 5))
    assert_same(fisher(slow, examples), by_loops(slow, examples))
    assert "its Fisher values are found example by example" in caplog.text


def test_every_model_sees_the_same_examples_and_draws(model):
    collector = HeadFisher(examples=3, weights={}, sigma=0.5, samples=1, batch_size=2)
    told, examples = [], [split("alike", sentences=2), split("mood")]
    first, second = collector.collect([model, model], questions=[examples] * 2, seed=0, tell=told.append)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert told == pytest.approx([n / 8 for n in range(1, 9)])
    other = collector.collect([model], questions=[examples], seed=1)[0]
    assert not torch.equal(first["encoder.pooler.dense.weight"], other["encoder.pooler.dense.weight"])
    assert not collector.together


def test_the_model_and_torchs_generator_are_left_as_they_were(model):
    before = torch.get_rng_state()
    fisher(model, split("mood"), split("alike", sentences=2))
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())


def test_what_it_cannot_use_is_an_error(model):
    with pytest.raises(ModelError, match="no head for task 'taste'"):
        fisher(model, split("taste"))
    with pytest.raises(ConfigurationError, match="weights names taste: the tasks are mood"):
        fisher(model, split("mood"), weights={"taste": 1.0})
    with pytest.raises(DataError, match="mood: a Fisher matrix needs examples"):
        fisher(model, split("mood", num=0))
