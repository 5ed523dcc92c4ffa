"""A bfloat16 copy of a model for evaluation, made once and refreshed before each use."""

from __future__ import annotations

import copy

import torch
from torch import nn

from dfwe.families.seq2seq.fast.kernels import fuse


class HalfCopy:
    """Weights in bfloat16 are multiplied at two to five times the speed of float32 where the hardware can.

    Autocast would cast every weight again for every batch. Scores differ from float32's in the few answers whose
    candidates are almost equally likely; what is reported in the end is evaluated in float32.
    """

    def __init__(self) -> None:
        self._copy: nn.Module | None = None

    def of(self, model: nn.Module) -> nn.Module:
        """The copy with the model's present weights, on its device, in evaluation mode."""
        parameters = dict(model.named_parameters())
        if self._copy is None or not _fits(self._copy, parameters):
            self._copy = copy.deepcopy(model).to(torch.bfloat16).eval()
            fuse(self._copy)
        else:
            with torch.no_grad():
                for name, mine in self._copy.named_parameters():
                    mine.copy_(parameters[name])
        return self._copy


def _fits(bf16_model: nn.Module, parameters: dict[str, nn.Parameter]) -> bool:
    mine = dict(bf16_model.named_parameters())
    return mine.keys() == parameters.keys() and all(
        (mine[name].shape, mine[name].device) == (tensor.shape, tensor.device) for name, tensor in parameters.items()
    )
