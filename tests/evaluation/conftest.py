"""What the tests of both ways of answering share."""

import pytest
import torch
from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel


@pytest.fixture
def bert_pair():
    """A function that makes a tiny random encoder-decoder of two BERTs with that many words."""

    def make(vocab_size):
        torch.manual_seed(0)
        half = {"vocab_size": vocab_size, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        half |= {"intermediate_size": 32, "max_position_embeddings": 40}
        config = EncoderDecoderConfig.from_encoder_decoder_configs(BertConfig(**half), BertConfig(**half))
        pair = EncoderDecoderModel(config).eval()
        pair.generation_config.decoder_start_token_id = 2
        pair.generation_config.pad_token_id = 0
        return pair

    return make
