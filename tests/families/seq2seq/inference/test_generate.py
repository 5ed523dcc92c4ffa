"""Free text."""

import pytest
import torch

from dfwe.errors import ConfigurationError
from dfwe.families.seq2seq.inference.asking import Seq2SeqInference
from dfwe.families.seq2seq.inference.generate import greedy
from dfwe.families.text.decoding import ReferenceDecoding
from dfwe.families.tokens import pad

NEW = 12
SAMPLED = {"do_sample": True, "num_beams": 2, "repetition_penalty": 5.0, "max_length": 20, "seed": 0}


def talkative(pair):
    """Random weights say one word for ever; larger ones do not."""
    for name, parameter in pair.named_parameters():
        if "LayerNorm" not in name:
            parameter.data.mul_(12.0)
    return pair


def questions(num, vocabulary):
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(3, vocabulary, (3 + i % 9,), generator=generator).tolist() for i in range(num)]
    return {"input_ids": pad(rows, value=0), "attention_mask": pad([[1] * len(row) for row in rows], value=0)}


@pytest.mark.parametrize("kind", ["t5", "bert"])
def test_it_is_what_generate_gives_whenever_rows_end(model, bert_pair, kind):
    model = model if kind == "t5" else talkative(bert_pair(40))
    batch = questions(40, 40)
    with torch.inference_mode():
        first = model.generate(**batch, do_sample=False, num_beams=1, max_new_tokens=NEW)[:, 1:]
        # what the model says most often in the middle becomes the end, so that rows end at different steps
        ends = torch.bincount(first[:, 2:].flatten()).argsort(descending=True)[:2].tolist()
        model.generation_config.eos_token_id = ends
        expected = model.generate(**batch, do_sample=False, num_beams=1, max_new_tokens=NEW)[:, 1:]
        found = greedy(model, **batch, max_new_tokens=NEW, max_tokens=64, pad_id=0)
    lengths = (expected != model.generation_config.pad_token_id).sum(1)
    assert len(lengths.unique()) > 1, "the test needs rows that end at different steps"
    assert torch.equal(found[:, : expected.shape[1]], expected)
    assert bool((found[:, expected.shape[1] :] == model.generation_config.pad_token_id).all())


def test_the_references_way_repeats_with_its_seed_and_leaves_torchs_state(model):
    batch = questions(4, 40)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    with torch.inference_mode():
        one, again = (
            Seq2SeqInference().reference(model, **batch, decoding=ReferenceDecoding(**SAMPLED), seed=7, pad_id=0)
            for _ in range(2)
        )
    assert torch.equal(one, again)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("changed", [{"num_beams": 3}, {"repetition_penalty": 1.0}, {"max_length": 6}])
def test_each_of_the_references_numbers_counts(model, changed):
    batch, told = questions(8, 40), {"do_sample": False, "num_beams": 1, "repetition_penalty": 5.0, "max_length": 20}
    with torch.inference_mode():
        before = Seq2SeqInference().reference(
            talkative(model), **batch, decoding=ReferenceDecoding(**told, seed=0), seed=0, pad_id=0
        )
        found = Seq2SeqInference().reference(
            model, **batch, decoding=ReferenceDecoding(**told | changed, seed=0), seed=0, pad_id=0
        )
        expected = model.generate(**batch, **told | changed)
    assert torch.equal(found, expected)
    assert found.shape != before.shape or not torch.equal(found, before)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_beams": 0}, "decoding.reference.num_beams must be at least 1, not 0"),
        ({"max_length": 1}, "decoding.reference.max_length must be at least 2, not 1"),
        ({"repetition_penalty": 0.0}, "decoding.reference.repetition_penalty must be above 0"),
    ],
)
def test_a_number_that_generate_cannot_take_is_refused(wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        ReferenceDecoding(**SAMPLED | wrong)
