"""Scoring candidates after a prompt: one packed pass agrees with one teacher-forced pass each."""

import logging

import pytest
import torch

from dfwe.families.causal_lm.asking import CausalInference, left_padded
from dfwe.families.causal_lm.calibration import CausalExample
from dfwe.families.causal_lm.labels import candidate_log_likelihoods, teacher_forced_log_likelihoods
from dfwe.families.text.trie import PackedTries

SETS = [[[5, 6, 1], [7, 1]], [[8, 9, 10, 11, 1], [8, 9, 1], [8, 1]], [[5, 1], [6, 1], [7, 8, 1]]]


def prompts():
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(3, 60, (length,), generator=generator).tolist() for length in (9, 4, 12)]


def alone(model, prompt, answer):
    """Return log p(answer | prompt) of one unpadded row, by Transformers' own loss."""
    ids = torch.tensor([[*prompt, *answer]])
    labels = torch.tensor([[-100] * len(prompt) + answer])
    return -model(input_ids=ids, labels=labels).loss * len(answer)


@pytest.mark.parametrize("sets", [SETS, [SETS[1]] * 3], ids=["a set each", "one set"])
@pytest.mark.parametrize("kind", ["llama", "llama_eager", "qwen2", "roberta", "gpt2"])
def test_packed_scores_equal_one_pass_per_candidate(decoder, kind, sets):
    model, inputs = decoder(kind), left_padded(prompts(), pad_id=0)
    with torch.inference_mode():
        found = candidate_log_likelihoods(model, tries=PackedTries.of(sets), **inputs)
        expected = [alone(model, prompts()[row], ids) for row, each in enumerate(sets) for ids in each]
    assert torch.allclose(found, torch.stack(expected), atol=1e-4)
    assert found.std() > 1


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "bloom", "lfm2"])
def test_any_decoder_is_scored_as_one_pass_per_candidate_scores(decoder, kind, caplog):
    model, inputs = decoder(kind), left_padded(prompts(), pad_id=0)
    with torch.inference_mode(), caplog.at_level(logging.WARNING):
        inference = CausalInference()
        found = inference.candidate_log_likelihoods(model, tries=PackedTries.of(SETS), **inputs)
        expected = [alone(model, prompts()[row], ids) for row, each in enumerate(SETS) for ids in each]
    assert torch.allclose(found, torch.stack(expected), atol=1e-4)
    assert ("in a pass of its own" in caplog.text) == (kind in ("bloom", "lfm2"))


def test_texts_longer_than_a_window_are_scored_one_by_one(decoder):
    model = decoder("mistral")  # which sees 8 tokens
    for prompt in ([5, 9], [*range(3, 23)]):
        inputs = left_padded([prompt], pad_id=0)
        with torch.inference_mode():
            found = candidate_log_likelihoods(model, tries=PackedTries.of(SETS[:1]), **inputs)
            expected = torch.stack([alone(model, prompt, ids) for ids in SETS[0]])
        assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["llama", "mistral", "bloom"])
def test_examples_of_statistics_are_scored_the_same(decoder, kind):
    model, prompt = decoder(kind), [*range(3, 15)]
    example = CausalExample(torch.tensor([prompt]), torch.tensor([SETS[0][0]]), tuple(map(tuple, SETS[0])), 4)
    expected = torch.stack([alone(model, prompt, ids) for ids in SETS[0]]).log_softmax(0)
    assert torch.allclose(example.closed_log_likelihoods(model), expected, atol=1e-4)


def test_both_ways_have_gradients_of_the_same_size(decoder):
    model, inputs = decoder(), left_padded(prompts()[:1], pad_id=0)
    tries = PackedTries.of(SETS[1:2])
    norms = []
    for score in (candidate_log_likelihoods, teacher_forced_log_likelihoods):
        model.zero_grad()
        score(model, tries=tries, **inputs)[1].backward()
        norms.append(model.get_input_embeddings().weight.grad.norm())
    assert norms[0] > 0
    assert torch.allclose(*norms, rtol=1e-4)


def test_texts_for_statistics_are_drawn_from_the_models_softmax(decoder):
    model = decoder()
    model.generation_config.update(temperature=0.1, top_p=0.1, repetition_penalty=5.0)
    own = model.generation_config
    example = CausalExample(torch.tensor([[3, 4, 5]]), torch.tensor([[5, 1]]), (), 1)
    first = torch.cat([text[:, 0] for text in example.drawn_texts(model, samples=2000, seed=0)])
    with torch.no_grad():
        share = model(torch.tensor([[3, 4, 5]])).logits[0, -1].softmax(-1)
    best = int(share.argmax())
    assert 0.05 < share[best] < 0.95
    assert abs(float((first == best).float().mean()) - float(share[best])) < 0.05
    assert model.generation_config is own
