"""Which number format is used."""

from types import SimpleNamespace

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


@pytest.mark.parametrize(("major", "expected"), [(7, "32-true"), (8, "bf16-mixed")])
def test_auto_is_bf16_where_the_gpu_multiplies_it(monkeypatch, major, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(major=major))
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)  # it emulates
    assert resolve_precision("auto", accelerator="gpu") == expected


def test_the_cpu_is_the_device_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
