"""Figure 4's four ways from a cosine to a similarity."""

import pytest
import torch

from dfwe.errors import ConfigurationError
from dfwe.families.multi_head.heads.similarity import SimilarityHead

SETTINGS = {"columns": ["a", "b"], "pooling": "mean", "dropout": 0.0, "hidden": 2, "low": 0.0, "high": 5.0}


def built(squash, *, k=0.8, **changes):
    """A head whose linear layer changes nothing, for embeddings of width 2."""
    head = SimilarityHead(**(SETTINGS | {"squash": squash, "k": k} | changes)).build(width=2, labels=())
    with torch.no_grad():
        head.network.hidden.weight.copy_(torch.eye(2))
        head.network.hidden.bias.zero_()
    return head


def pairs(*cosines):
    angles = torch.tensor(cosines).acos()
    second = torch.stack([angles.cos(), angles.sin()], dim=-1)
    return torch.stack([torch.tensor([1.0, 0.0]).expand_as(second), 3 * second])


@pytest.mark.parametrize(
    ("squash", "expected"),
    [
        ("identity", [-2.5, 0.0, 2.0, 4.25, 5.0]),
        ("relu", [0.0, 0.0, 2.0, 4.25, 5.0]),
        ("clamp", [0.0, 0.0, 2.5, 5.0, 5.0]),
    ],
)
def test_cosines_become_similarities(squash, expected):
    outputs = built(squash)(pairs(-0.5, 0.0, 0.4, 0.85, 1.0))
    assert torch.allclose(outputs[:, 0], torch.tensor(expected), atol=1e-5)


def test_the_scale_can_be_another():
    assert built("relu", low=1.0, high=3.0)(pairs(0.5)).item() == pytest.approx(2.0)


def test_an_example_beyond_the_clamp_has_no_gradient():
    for cosine, learns in ((0.9, False), (0.5, True)):
        head = built("clamp")
        head.losses(head(pairs(cosine)), torch.tensor([1.0])).sum().backward()
        assert bool(head.network.hidden.weight.grad.abs().sum() > 1e-4) is learns


def test_the_embeddings_go_through_one_layer_that_both_share():
    head = SimilarityHead(**(SETTINGS | {"squash": "identity", "k": 1.0, "hidden": 3})).build(width=4, labels=())
    assert [parameter.shape for parameter in head.parameters()] == [(3, 4), (3,)]
    same = torch.randn(1, 5, 4, generator=torch.Generator().manual_seed(0)).expand(2, 5, 4)
    assert torch.allclose(head(same), torch.tensor(5.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 1.5}, r"head\.k, the cosine that counts as the same, must be at most 1, not 1\.5"),
        ({"low": 5.0}, r"head\.low=5\.0 must be below head\.high=5\.0"),
        ({"columns": ["a"]}, r"head\.columns must name 2 column\(s\)"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ConfigurationError, match=message):
        SimilarityHead(**(SETTINGS | {"squash": "clamp", "k": 0.9} | changes))
