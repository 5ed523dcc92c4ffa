import pytest
import torch

from dfwe.merging import mix as module
from dfwe.merging.mix import mix


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_parts_on_threads_give_the_sum_of_a_product_at_once(threads, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 7)
    weights, coefficients = torch.randn(3, 101), torch.tensor([0.2, 0.5, -0.1])
    out = torch.full((101,), float("nan"))
    mix(weights, coefficients, out=out)
    torch.testing.assert_close(out, coefficients @ weights)


def test_a_vertex_is_its_expert_bit_for_bit_in_parts_too(threads, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 8)
    weights, out = torch.randn(3, 100), torch.empty(100)
    for row, vertex in zip(weights, torch.eye(3), strict=True):
        mix(weights, vertex, out=out)
        assert torch.equal(out, row)


def test_experts_elsewhere_are_streamed_in_blocks(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 7)
    weights, coefficients, out = torch.randn(3, 101), torch.tensor([0.2, 0.5, 0.3]), torch.empty(101)
    module._streamed(weights, coefficients, out=out, parent=None)
    torch.testing.assert_close(out, coefficients @ weights)
    module._streamed(weights, torch.eye(3)[1], out=out, parent=None)
    assert torch.equal(out, weights[1])
