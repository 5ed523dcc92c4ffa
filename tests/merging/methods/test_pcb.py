"""Parameters compete within their task and between tasks."""

from math import exp, tanh

import torch

from dfwe.merging.methods.pcb import Pcb

PLAIN = Pcb(density=1.0, outliers=0.0, scale=1.0)


def random(array, parent=True, num=3):
    rows = torch.randn(num + 1, 60, generator=torch.Generator().manual_seed(0))
    experts = [{"v": row[:20].view(4, 5), "w": row[20:]} for row in rows[1:]]
    return array(experts, parent={"v": rows[0, :20].view(4, 5), "w": rows[0, 20:]} if parent else None)


def test_pcb_scores_and_balance_by_hand(array, merge):
    # sizes moved to [0, 1]: (0, 1/2, 1) and (1/2, 0, 1); sums of task vectors: (-1, 3, 0)
    vectors = [[1.0, 2.0, 3.0], [-2.0, 1.0, -3.0]]
    scores = [[tanh(-1), exp(1 / 2) * tanh(6), 0.0], [exp(1 / 2) * tanh(2), tanh(3), 0.0]]
    weights = [[(s - min(row)) / (max(row) - min(row)) for s in row] for row in scores]
    expected = [
        1 + 0.5 * (weights[0][p] * vectors[0][p] + weights[1][p] * vectors[1][p]) / (weights[0][p] + weights[1][p] or 1)
        for p in range(3)
    ]
    experts = array([{"w": torch.tensor(each) + 1} for each in vectors], parent={"w": torch.ones(3)})
    found = merge(Pcb(density=1.0, outliers=0.0, scale=0.5), experts, [0.5, 0.5])["w"]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_pcb_keeps_highest_scores_of_whole_vector(array, merge):
    one = array(
        [{"v": torch.tensor([1.0, 2.0]), "w": torch.tensor([3.0, 4.0])}],
        parent={"v": torch.zeros(2), "w": torch.zeros(2)},
    )
    found = merge(Pcb(density=0.5, outliers=0.0, scale=1.0), one, [1.0])
    # the least of those that count has the balance 0
    assert (found["v"].tolist(), found["w"].tolist()) == ([0.0, 0.0], [0.0, 4.0])


def test_pcb_clamps_outliers(array, merge):
    values = torch.arange(1.0, 11.0)
    one = array([{"w": values}], parent={"w": torch.zeros(10)})
    found = merge(Pcb(density=1.0, outliers=0.2, scale=1.0), one, [1.0])["w"]
    torch.testing.assert_close(found[1:], values.clamp(3.0, 8.0)[1:])


def test_pcb_is_linear_in_coefficients(array, merge):
    experts = random(array)
    vertices = [merge(PLAIN, experts, [float(i == j) for i in range(3)])["w"] for j in range(3)]
    mixed = 0.5 * vertices[0] + 0.3 * vertices[1] + 0.2 * vertices[2]
    torch.testing.assert_close(merge(PLAIN, experts, [0.5, 0.3, 0.2])["w"], mixed)


def test_pcb_order_and_blocks_give_same(array, merge, monkeypatch):
    experts, method = random(array), Pcb(density=0.3, outliers=0.02, scale=1.2)
    first = merge(method, experts, [0.5, 0.3, 0.2])
    monkeypatch.setattr("dfwe.merging.engine.BLOCK", 7)
    turned = [experts.layout.views(row) for row in experts.weights.flip(0)]
    found = merge(method, array(turned, parent=experts.layout.views(experts.parent)), [0.2, 0.3, 0.5])
    for name, tensor in first.items():
        torch.testing.assert_close(found[name], tensor)


def test_pcb_of_parents_is_the_parent(array, merge):
    same = {"w": torch.randn(20, generator=torch.Generator().manual_seed(0))}
    assert torch.equal(merge(PLAIN, array([same, same], parent=same), [0.5, 0.5])["w"], same["w"])
