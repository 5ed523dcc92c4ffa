"""Free text after a prompt."""

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM, RwkvConfig, RwkvForCausalLM

from dfwe.errors import ModelError
from dfwe.families.causal_lm.asking import CausalInference, left_padded
from dfwe.families.causal_lm.generate import greedy
from dfwe.families.text.decoding import ReferenceDecoding

NEW = 12


def questions(num):
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(3, 60, (3 + i % 9,), generator=generator).tolist() for i in range(num)]
    return left_padded(rows, pad_id=0)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2", "lfm2"])
def test_greedy_is_what_generate_gives_whenever_rows_end(decoder, kind):
    model, batch = decoder(kind), questions(30)
    width = batch["input_ids"].shape[1]
    options = {"do_sample": False, "num_beams": 1, "max_new_tokens": NEW, "pad_token_id": 0}
    with torch.inference_mode():
        first = model.generate(**batch, **options)[:, width:]
        # what the model says most often in the middle becomes the end, so that rows end at different steps
        model.generation_config.eos_token_id = (
            torch.bincount(first[:, 2:].flatten()).argsort(descending=True)[:3].tolist()
        )
        expected = model.generate(**batch, **options)[:, width:]
        found = greedy(model, **batch, max_new_tokens=NEW, pad_id=0)
    lengths = (expected != 0).sum(1)
    assert len(set(lengths.tolist())) > 2
    assert torch.equal(found[:, : expected.shape[1]], expected)
    assert not found[:, expected.shape[1] :].any()


def test_reference_samples_from_its_seed_and_leaves_the_stream(decoder):
    model, batch = decoder(), questions(4)
    decoding = ReferenceDecoding(do_sample=True, num_beams=1, repetition_penalty=1.0, max_length=8, seed=0)
    state = torch.random.get_rng_state()
    with torch.inference_mode():
        first, again, other = (
            CausalInference().reference(model, **batch, decoding=decoding, pad_id=0, seed=seed) for seed in (1, 1, 2)
        )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (4, 7)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_state_that_is_no_cache_of_keys_is_left_to_generate():
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "state_size": 4, "num_hidden_layers": 1, "vocab_size": 60, "initializer_range": 1.0}
    model, batch = MambaForCausalLM(MambaConfig(**shape)).eval(), questions(4)
    with torch.inference_mode():
        expected = model.generate(**batch, do_sample=False, max_new_tokens=4, pad_token_id=0)[:, -4:]
        assert torch.equal(greedy(model, **batch, max_new_tokens=4, pad_id=0), expected)


def test_a_state_that_padding_changes_is_refused():
    model = RwkvForCausalLM(RwkvConfig(hidden_size=16, num_hidden_layers=2, vocab_size=60)).eval()
    with pytest.raises(ModelError, match="'rwkv' models cannot be told where a text begins"):
        greedy(model, **questions(2), max_new_tokens=4, pad_id=0)
