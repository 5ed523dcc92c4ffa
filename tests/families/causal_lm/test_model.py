"""Training batches and their loss; what is not a decoder is refused."""

import pytest
import torch
from transformers import AutoModelForCausalLM, BartConfig, BertConfig, RecurrentGemmaConfig, RemBertConfig, T5Config

from dfwe.errors import ModelError
from dfwe.families.causal_lm.model import answer_loss, check_is_decoder, collate

SOURCES, TARGETS = [[5, 6, 7, 8], [9, 10]], [[11, 1], [12, 13, 14, 1]]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "bloom", "lfm2"])
def test_loss_is_the_mean_over_answers_tokens_alone(decoder, kind):
    model = decoder(kind)
    found = answer_loss(model, collate(SOURCES, TARGETS, pad_id=0))
    total = 0.0
    for source, target in zip(SOURCES, TARGETS, strict=True):
        labels = torch.tensor([[-100] * len(source) + target])
        total += model(input_ids=torch.tensor([source + target]), labels=labels).loss.item() * len(target)
    assert found.item() == pytest.approx(total / sum(map(len, TARGETS)), abs=1e-5)


def test_a_batch_has_answers_at_its_end():
    batch = collate(SOURCES, TARGETS, pad_id=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 11, 0, 0], [0, 0, 9, 10, 12, 13, 14]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 1]]
    assert batch["labels"].tolist() == [[11, 1, -100, -100], [12, 13, 14, 1]]


def test_answers_of_the_end_token_alone_make_a_batch(decoder):
    assert torch.isfinite(answer_loss(decoder(), collate(SOURCES, [[1], [1]], pad_id=0)))


@pytest.mark.parametrize(
    ("config", "match"),
    [
        (BertConfig(), "holds an encoder .bert.*classifier"),
        (RemBertConfig(), "holds an encoder .rembert.*classifier"),
        (T5Config(), "encoder-decoder.*seq2seq"),
    ],
)
def test_other_kinds_of_models_are_refused(tmp_path, config, match):
    config.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=match):
        check_is_decoder(str(tmp_path))


@pytest.mark.parametrize(
    "config",
    [
        BartConfig(
            d_model=16, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=16, vocab_size=60,
            is_decoder=True, is_encoder_decoder=False,
        ),
        RecurrentGemmaConfig(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, head_dim=8, lru_width=16, vocab_size=60,
            intermediate_size=32, block_types=["recurrent", "attention"],
        ),
    ],
    ids=lambda config: config.model_type,
)  # fmt: skip
def test_a_decoder_that_takes_padding_for_text_is_refused(config):
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(ModelError, match=f"'{config.model_type}' models cannot be told where a text begins"):
        answer_loss(model, collate(SOURCES, TARGETS, pad_id=0))
