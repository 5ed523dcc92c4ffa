"""The bfloat16 copy."""

import torch
from torch import nn

from dfwe.families.seq2seq.fast.bf16 import HalfCopy


def test_it_has_the_models_present_weights_rounded():
    model, half = nn.Linear(3, 2), HalfCopy()
    first = half.of(model)
    with torch.no_grad():
        model.weight.add_(1.0)
    again = half.of(model)
    assert again is first
    assert torch.equal(again.weight, model.weight.to(torch.bfloat16))
    assert not again.training


def test_a_model_of_another_shape_gets_a_copy_of_its_own():
    half = HalfCopy()
    assert half.of(nn.Linear(3, 2)).weight.shape == (2, 3)
    assert half.of(nn.Linear(5, 2)).weight.shape == (2, 5)


def test_parameters_that_are_views_of_one_buffer_are_copied_one_by_one():
    model, buffer = nn.Linear(2, 2, bias=False), torch.arange(8.0)
    model.weight.data = buffer[2:6].view(2, 2)
    half = HalfCopy()
    half.of(model)
    buffer.mul_(2.0)
    assert torch.equal(half.of(model).weight.float(), torch.tensor([[4.0, 6.0], [8.0, 10.0]]))
