"""The models with random weights and the prompts that the benchmarks measure on."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForSeq2SeqLM, T5Config

SHAPES = {
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 8, "num_heads": 6},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 12, "num_heads": 12},
}
Prompts = list[list[int]]


def model_of(shape: str) -> Any:
    """A model of that shape with random weights, the head's its own."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=32128,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        **SHAPES[shape],
    )
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    # as in Flan-T5's files; from_config ties them whatever the configuration says
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.05)
    model.generation_config.decoder_start_token_id = 0
    return model


def prompts_of(number: int) -> Prompts:
    """Random prompts."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(200, 401, (number,), generator=generator).tolist()
    return [torch.randint(10, 32000, (length,), generator=generator).tolist() for length in lengths]
