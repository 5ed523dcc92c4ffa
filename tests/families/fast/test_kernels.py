import pytest
import torch
from torch import nn
from transformers import (
    LlamaConfig,
    LlamaModel,
    T5Config,
    T5ForConditionalGeneration,
    XGLMConfig,
    XGLMForCausalLM,
)

from dfwe.families.fast import kernels
from dfwe.families.fast.kernels import HalfCopy, fast_kernels


def wide_t5():
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=40, d_model=256, d_kv=32, d_ff=256, num_layers=1, num_heads=4, feed_forward_proj="gated-gelu"
    )
    return T5ForConditionalGeneration(config).eval()


def states(model):
    ids = torch.randint(2, 40, (2, 9), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return model.get_encoder()(input_ids=ids).last_hidden_state


def test_fast_kernels_compute_the_same_up_to_rounding_and_leave_no_trace():
    model = wide_t5()
    plain = states(model)
    with fast_kernels(model):
        assert any("forward" in vars(module) for module in model.modules())
        torch.testing.assert_close(states(model), plain, rtol=1e-4, atol=1e-5)
    assert not any("forward" in vars(module) for module in model.modules())
    assert torch.equal(states(model), plain)


def test_float32_products_go_to_onednn_and_others_do_not(monkeypatch):
    seen = []
    monkeypatch.setattr(kernels, "_linear", lambda *args: seen.append(args[0].dtype) or args[0] @ args[1].t())
    layer = nn.Linear(256, 4, bias=False)
    with torch.inference_mode(), fast_kernels(layer):
        layer(torch.ones(2, 256))
        nn.functional.linear(torch.ones(2, 256).bfloat16(), torch.ones(4, 256).bfloat16())
    assert seen == [torch.float32]


def test_narrow_models_are_left_alone():
    layer = nn.Linear(255, 4)
    with torch.inference_mode(), fast_kernels(layer):
        assert torch.equal(
            layer(torch.ones(2, 255)), nn.functional.linear(torch.ones(2, 255), layer.weight, layer.bias)
        )


def test_a_fused_bfloat16_model_stays_close_to_the_plain_one():
    plain, fused = wide_t5().bfloat16(), wide_t5().bfloat16()
    kernels._fuse(fused)
    assert any("forward" in vars(module) for module in fused.modules())
    torch.testing.assert_close(states(fused), states(plain), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("model", [wide_t5(), nn.Linear(8, 8).bfloat16()], ids=["float32", "narrow"])
def test_only_wide_bfloat16_models_are_fused(model):
    kernels._fuse(model)
    assert not any("forward" in vars(module) for module in model.modules())


def test_a_half_copy_has_the_models_present_weights_rounded():
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


def test_a_half_copy_keeps_the_frequencies_of_rotary_positions():
    config = LlamaConfig(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=9)
    model = LlamaModel(config)
    buffers = dict(HalfCopy().of(model).named_buffers())
    assert buffers.keys() == dict(model.named_buffers()).keys() != set()
    assert all(torch.equal(buffers[name], buffer) for name, buffer in model.named_buffers())


def test_a_half_copy_of_sinusoidal_positions_is_bfloat16():
    config = XGLMConfig(
        d_model=16, ffn_dim=16, num_layers=1, attention_heads=2, vocab_size=9, max_position_embeddings=8
    )
    half = HalfCopy().of(XGLMForCausalLM(config))
    assert half(torch.tensor([[3, 4]])).logits.dtype == torch.bfloat16
