"""Models whose parts lie on several devices; here these are pieces of main memory."""

from functools import partial

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from dfwe.errors import ModelError
from dfwe.models.dispatch import input_device, is_dispatched, named_tensors, stored_tensors
from dfwe.models.loading import load_weights_of

accelerate = pytest.importorskip("accelerate", reason="the extra large is not installed")

load = partial(load_weights_of, AutoModelForCausalLM)


@pytest.fixture
def folder(tmp_path):
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("parts", ["layers.1", "layers.0.mlp", "layers"])
def test_offloaded_weights_are_read_and_written_where_they_lie(folder, parts):
    plain, model, ids = (
        load(folder),
        load(folder),
        torch.arange(6)[None],
    )
    assert not is_dispatched(model)
    accelerate.cpu_offload(model.model.get_submodule(parts), execution_device=torch.device("cpu"))
    assert is_dispatched(model)
    assert any(parameter.device.type == "meta" for parameter in model.parameters())
    stored, expected = stored_tensors(model), dict(plain.named_parameters())
    assert stored.keys() == expected.keys()
    assert all(torch.equal(tensor, stored[name]) for name, tensor in expected.items())
    assert {"lm_head.weight"} == named_tensors(model).keys() - stored.keys()
    with torch.no_grad():
        for name, tensor in stored.items():
            tensor.mul_(0.5)
            expected[name].mul_(0.5)
        assert torch.equal(model(ids).logits, plain(ids).logits)


def test_inputs_go_where_the_first_module_computes(folder):
    model = load(folder)
    assert input_device(model) == torch.device("cpu")
    accelerate.cpu_offload(model, execution_device=torch.device("cpu"))
    assert next(model.parameters()).device.type == "meta"
    assert input_device(model) == torch.device("cpu")


def test_parts_on_disk_are_refused(folder):
    message = r"model\.device_map leaves 1 parts on disk \(the model\): raise model\.max_memory"
    with pytest.raises(ModelError, match=message):
        load(folder, device_map="auto", max_memory={"cpu": "1KB"})


def test_a_model_that_fits_is_loaded_as_without(folder):
    model = load(folder, device_map="auto", max_memory={"cpu": "1GiB"})
    for one, other in zip(model.parameters(), load(folder).parameters(), strict=True):
        assert torch.equal(one, other)
