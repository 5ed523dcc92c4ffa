"""Two sentences, one label."""

import pytest
import torch

from dfwe.errors import ConfigurationError
from dfwe.families.multi_head.heads.pair_classification import PairClassification, PairCosine

COLUMNS, LABELS = ["first", "second"], ["no", "yes"]
PAIR = torch.tensor([[[1.0, -2.0]], [[3.0, 0.5]]])  # sentences, batch, width


def perceptron(**changes):
    settings = {"columns": COLUMNS, "pooling": "mean", "dropout": 0.0, "hidden": 3, "features": ["u", "v"]}
    return PairClassification(**(settings | changes))


def cosine(**changes):
    settings = {"columns": COLUMNS, "pooling": "mean", "dropout": 0.0, "scale": 4.0, "offset": -1.0}
    return PairCosine(**(settings | changes))


@pytest.mark.parametrize(
    ("features", "row"),
    [
        (["u", "v"], [1, -2, 3, 0.5]),
        (["abs_difference"], [2, 2.5]),
        (["product", "u"], [3, -1, 1, -2]),
        (["u", "v", "abs_difference"], [1, -2, 3, 0.5, 2, 2.5]),
    ],
)
def test_the_perceptron_reads_the_features_in_their_order(features, row):
    network = perceptron(features=features).build(width=2, labels=LABELS).network
    seen = []
    network.hidden.register_forward_hook(lambda module, inputs, outputs: seen.append(inputs[0]))
    network(PAIR)
    assert seen[0].tolist() == [row]


def test_the_perceptron_is_linear_relu_linear():
    network = perceptron(hidden=2, features=["abs_difference"]).build(width=2, labels=LABELS).network
    with torch.no_grad():
        network.hidden.weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, 0.0]]))
        network.hidden.bias.copy_(torch.tensor([0.5, 1.0]))
        network.output.weight.copy_(torch.tensor([[1.0, 10.0], [2.0, 0.0]]))
        network.output.bias.copy_(torch.tensor([0.0, -1.0]))
    assert torch.equal(network(PAIR), torch.tensor([[5.0, 9.0]]))  # hidden: 2 + 2.5 + 0.5, relu(-2 + 1)


def test_a_pair_can_have_three_labels():
    head = perceptron().build(width=2, labels=["entailment", "neutral", "contradiction"])
    assert head(PAIR).shape == (1, 3)
    assert head.num_sentences == 2


def test_the_cosine_alone_gives_the_second_label_its_logit():
    head = cosine().build(width=2, labels=LABELS)
    expected = 4 * (3 - 1) / (5**0.5 * 9.25**0.5) - 1
    assert torch.allclose(head(PAIR), torch.tensor([[0.0, expected]]))


def test_the_cosines_scale_and_offset_are_learnt():
    head = cosine().build(width=2, labels=LABELS)
    head.losses(head(PAIR), torch.tensor([1.0])).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in head.parameters())
    assert sum(parameter.numel() for parameter in head.parameters()) == 2


def test_the_cosine_is_for_two_labels():
    with pytest.raises(ConfigurationError, match="a cosine tells two labels apart, not 3: a, b, c"):
        cosine().build(width=2, labels=["a", "b", "c"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": ["first"]}, r"head\.columns must name 2 column\(s\)"),
        ({"features": []}, r"head\.features must name one feature or more, each once, not \[\]"),
        ({"features": ["u", "u"]}, "each once"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        perceptron(**changes)
