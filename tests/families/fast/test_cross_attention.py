import pytest
import torch
from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel, T5Config, T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from dfwe.families.fast.cross_attention import unprojected_source


def t5():
    config = T5Config(vocab_size=40, d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=4, decoder_start_token_id=0)
    return T5ForConditionalGeneration(config)


def bert_to_bert():
    sizes = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(**sizes, intermediate_size=48)
    both = EncoderDecoderConfig.from_encoder_decoder_configs(config, config)
    model = EncoderDecoderModel(both)
    model.config.decoder_start_token_id = 0
    for module in model.modules():  # biases of 0 would hide a bias left out
        if getattr(module, "bias", None) is not None:
            torch.nn.init.normal_(module.bias)
    return model


def logits(model, *, num_queries=None):
    states = torch.randn(3, 7, 32, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(3, 7, dtype=torch.int64)
    mask[1, 4:] = 0
    tokens = torch.randint(1, 40, (3, 5), generator=torch.Generator().manual_seed(2))
    tokens[:, 0] = 0
    given = {"encoder_outputs": BaseModelOutput(states), "attention_mask": mask, "decoder_input_ids": tokens}
    with torch.inference_mode():
        if num_queries is None:
            return model(**given).logits
        with unprojected_source(model, num_queries=num_queries):
            return model(**given).logits


@pytest.fixture(params=[t5, bert_to_bert], ids=["t5", "bert"])
def model(request):
    torch.manual_seed(0)
    return request.param().eval()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_decoder_says_the_same_without_keys_and_values(model, attention):
    model.set_attn_implementation(attention)
    torch.testing.assert_close(logits(model, num_queries=5), logits(model), rtol=1e-4, atol=1e-5)


def test_the_keys_and_values_are_not_computed(model):
    called = []
    for name, module in model.get_decoder().named_modules():
        if name.endswith(("EncDecAttention.k", "crossattention.self.key")):
            module.register_forward_hook(lambda *_, name=name: called.append(name))
    logits(model, num_queries=5)
    assert called == []
    logits(model)
    assert len(called) == 2


def test_many_queries_keep_keys_and_values_and_afterwards_all_is_as_before(model):
    torch.testing.assert_close(logits(model, num_queries=9), logits(model), rtol=0, atol=0)
    assert not any("forward" in vars(module) for module in model.modules())
