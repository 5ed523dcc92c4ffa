"""One sentence, one label."""

import pytest
import torch

from dfwe.errors import ConfigurationError
from dfwe.families.multi_head.heads.classification import Classification


def spec(**changes):
    return Classification(**({"columns": ["text"], "pooling": "pooler", "dropout": 0.3} | changes))


def test_outputs_are_a_linear_function_of_the_embedding():
    head = spec().build(width=3, labels=["bad", "good"]).eval()
    with torch.no_grad():
        head.network.output.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]))
        head.network.output.bias.copy_(torch.tensor([0.5, 0.0]))
    assert torch.equal(head(torch.tensor([[[1.0, 2.0, 3.0]]])), torch.tensor([[7.5, 2.0]]))
    assert (head.num_sentences, head.pooling, head.labels) == (1, "pooler", ("bad", "good"))


def test_only_training_drops_out():
    head, embeddings = spec().build(width=8, labels=["bad", "good"]), torch.ones(1, 64, 8)
    torch.manual_seed(0)
    assert head(embeddings).unique(dim=0).shape[0] > 1
    assert head.eval()(embeddings).unique(dim=0).shape[0] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": ["a", "b"]}, r"head\.columns must name 1 column\(s\) for this head, not \['a', 'b'\]"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        spec(**changes)
