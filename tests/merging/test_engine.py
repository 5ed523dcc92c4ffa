"""Weighted sums of experts."""

import pytest
import torch

from dfwe.merging import engine
from dfwe.merging.base import TensorWeights
from dfwe.merging.engine import Segment, sum_segments


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def summed(experts, weights):
    out = torch.full((experts.shape[1],), torch.nan)
    sum_segments(experts, [Segment(0, experts.shape[1], TensorWeights(tuple(weights)))], out=out, parent=None)
    return out


def test_sum_segments_on_threads_is_the_product(threads, monkeypatch):
    monkeypatch.setattr(engine, "SUM_BLOCK", 7)
    experts, weights = torch.randn(3, 101), [0.2, 0.5, -0.1]
    torch.testing.assert_close(summed(experts, weights), torch.tensor(weights) @ experts)


def test_sum_segments_of_a_vertex_is_its_expert_to_the_bit(threads, monkeypatch):
    monkeypatch.setattr(engine, "SUM_BLOCK", 8)
    experts = torch.randn(3, 100)
    for row, vertex in zip(experts, torch.eye(3).tolist(), strict=True):
        assert torch.equal(summed(experts, vertex), row)


def test_sum_segments_have_their_own_weights_and_parent(threads):
    experts, parent, out = torch.randn(2, 10), torch.randn(10), torch.empty(10)
    segments = [Segment(0, 4, TensorWeights((1.0, 0.0), 2.0)), Segment(4, 10, TensorWeights((0.0, 3.0), -1.0))]
    sum_segments(experts, segments, out=out, parent=parent)
    torch.testing.assert_close(out[:4], experts[0, :4] + 2.0 * parent[:4])
    torch.testing.assert_close(out[4:], 3.0 * experts[1, 4:] - parent[4:])


def test_stream_is_the_product():
    experts, weights, out = torch.randn(3, 101), (0.2, 0.5, 0.3), torch.empty(101)
    engine._stream(experts, weights, out=out)
    torch.testing.assert_close(out, torch.tensor(weights) @ experts)
    engine._stream(experts, (0.0, 1.0, 0.0), out=out)
    assert torch.equal(out, experts[1])
