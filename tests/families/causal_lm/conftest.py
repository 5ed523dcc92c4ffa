"""Tiny decoders of many architectures, random and talkative."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPT2Config,
    Lfm2Config,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Qwen2Config,
    RobertaConfig,
)

VOCABULARY = 60
WIDTH = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
CONFIGS = {
    "llama": LlamaConfig(**WIDTH, intermediate_size=64, vocab_size=VOCABULARY),
    "llama_eager": LlamaConfig(**WIDTH, intermediate_size=64, vocab_size=VOCABULARY, attn_implementation="eager"),
    "qwen2": Qwen2Config(**WIDTH, intermediate_size=64, vocab_size=VOCABULARY),
    "mistral": MistralConfig(**WIDTH, intermediate_size=64, vocab_size=VOCABULARY, sliding_window=8),
    "roberta": RobertaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, max_position_embeddings=128,
        vocab_size=VOCABULARY, is_decoder=True,
    ),
    "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128, vocab_size=VOCABULARY),
    "opt": OPTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64, word_embed_proj_dim=32,
        max_position_embeddings=128, vocab_size=VOCABULARY,
    ),
    "lfm2": Lfm2Config(  # layers with a recurrent state beside attention
        **WIDTH, intermediate_size=64, vocab_size=VOCABULARY, layer_types=["conv", "full_attention"]
    ),
    "bloom": BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=VOCABULARY),
}  # fmt: skip


@pytest.fixture
def decoder():
    """A function from an architecture's name to a tiny model whose weights are large enough to say different things."""

    def make(kind="llama"):
        config = CONFIGS[kind]
        config.pad_token_id, config.bos_token_id, config.eos_token_id = 0, None, 1
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).eval()
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "norm" not in name:
                parameter.data.normal_(0.0, 0.3, generator=torch.Generator().manual_seed(len(name)))
        return model

    return make
