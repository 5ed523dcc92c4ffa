"""A model's answers on a split."""

import pytest
import torch

from dfwe.data.tokenise import TokenLimits, tokenise
from dfwe.errors import ConfigurationError
from dfwe.evaluation.score import Decoding, SplitScorer
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.scorer import Scorer
from dfwe.records import Instance

LABELS = ("joy", "anger", "fear")


def scorer(tokenizer, cache, *, decode="labels", num=7, candidates=LABELS, max_tokens=64):
    instances = [
        Instance(f"i{i}", "d", "context: " + "glad " * (i % 4), " emotion:", ("joy",), (LABELS[i % 3],), candidates)
        for i in range(num)
    ]
    split = tokenise(instances, tokenizer=tokenizer, limits=TokenLimits(64, 8), cache=cache)
    decoding = Decoding(decode=decode, max_new_tokens=4, max_tokens=max_tokens, bf16=False)
    metrics = Scorer(metrics={"acc": Accuracy(labels=list(LABELS))})
    return SplitScorer(split, scorer=metrics, decoding=decoding, tokenizer=tokenizer)


def test_answers_come_in_the_order_of_the_instances_whatever_the_batches(model, tokenizer, tmp_path):
    one_by_one = scorer(tokenizer, tmp_path, max_tokens=1).predict(model)
    together = scorer(tokenizer, tmp_path, max_tokens=10_000).predict(model)
    assert one_by_one == together
    assert set(one_by_one) <= set(LABELS)


def test_the_evaluation_scores_the_answers(model, tokenizer, tmp_path):
    split = scorer(tokenizer, tmp_path)
    found = split(model)
    right = [answer == LABELS[i % 3] for i, answer in enumerate(found.predictions)]
    assert found.score == pytest.approx(sum(right) / 7)
    assert len(found.counts) == 7


def test_the_models_mode_is_left_as_it_was(model, tokenizer, tmp_path):
    model.train()
    scorer(tokenizer, tmp_path).predict(model)
    assert model.training


def test_greedy_answers_are_free_text_and_repeat(model, tokenizer, tmp_path):
    free = scorer(tokenizer, tmp_path, decode="greedy", candidates=())
    assert free.predict(model) == free.predict(model)


def test_the_references_decoding_repeats_and_leaves_torchs_generator_alone(model, tokenizer, tmp_path):
    sampled = scorer(tokenizer, tmp_path, decode="reference", num=3)
    torch.manual_seed(1)
    first, after = sampled.predict(model), torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(1))
    assert sampled.predict(model) == first


def test_label_scoring_needs_a_closed_set(tokenizer, tmp_path):
    with pytest.raises(ConfigurationError, match="needs a closed set of answers; use decode=greedy"):
        scorer(tokenizer, tmp_path, candidates=())
