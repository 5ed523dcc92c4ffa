"""A number for one sentence or two."""

import pytest
import torch

from dfwe.errors import ConfigurationError
from dfwe.families.multi_head.heads.regression import Regression


@pytest.mark.parametrize(("columns", "width_in"), [(["a"], 3), (["a", "b"], 12)])
def test_one_or_two_sentences_give_one_number(columns, width_in):
    head = Regression(columns, pooling="mean", dropout=0.0, hidden=4).build(width=3, labels=())
    assert head.network.hidden.in_features == width_in
    assert head(torch.ones(len(columns), 5, 3)).shape == (5, 1)
    assert head.num_sentences == len(columns)


def test_it_learns_a_product():
    """A perceptron over u * v can tell how large a product is; over u alone it could not."""
    torch.manual_seed(0)
    head = Regression(["a", "b"], pooling="mean", dropout=0.0, hidden=16).build(width=1, labels=())
    pairs = torch.randn(2, 128, 1)
    gold = (pairs[0] * pairs[1])[:, 0]
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        head.losses(head(pairs), gold).mean().backward()
        optimizer.step()
    assert head.losses(head(pairs), gold).mean() < 0.05 * gold.var()


@pytest.mark.parametrize("columns", [[], ["a", "b", "c"]])
def test_regression_of_other_columns_is_refused(columns):
    with pytest.raises(ConfigurationError, match=r"head\.columns must name 1 or 2 column"):
        Regression(columns, pooling="mean", dropout=0.0, hidden=4)
