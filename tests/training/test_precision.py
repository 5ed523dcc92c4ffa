"""Which number format is used."""

import pytest
import torch

from dfwe.training.precision import resolve_device, resolve_precision


def test_a_precision_that_was_said_is_kept():
    assert resolve_precision("32-true", accelerator="cpu") == "32-true"


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"amx_bf16": True}, "bf16-mixed"), ({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")],
)
def test_auto_is_bf16_where_the_cpu_multiplies_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert resolve_precision("auto", accelerator="cpu") == expected


def test_the_cpu_is_the_device_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
