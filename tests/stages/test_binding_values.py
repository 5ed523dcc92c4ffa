"""What a library's constructor refuses is the user's error, with the key."""

import pytest
import torch

from dfwe.config.instantiate import check_optimizer
from dfwe.errors import ConfigurationError
from dfwe.training.precision import resolve_device


def test_an_argument_that_torch_refuses_names_the_key():
    config = {"_target_": "torch.optim.Adam", "_partial_": True, "betas": [2, 0]}
    with pytest.raises(ConfigurationError, match=r"^trainer.optimizer: Invalid beta"):
        check_optimizer(config, lr=0.1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(ConfigurationError, match=r"^trainer.accelerator=gpu: torch finds no CUDA device here"):
        resolve_device("gpu")
    assert resolve_device("auto").type == "cpu"
