"""A model's answers on a split."""

import numpy as np
import pytest
import torch

from dfwe.errors import ConfigurationError, MetricError
from dfwe.families.seq2seq.inference.answers import Decoding
from dfwe.families.seq2seq.inference.generate import ReferenceDecoding
from dfwe.families.seq2seq.scorer import SplitScorer
from dfwe.families.seq2seq.tokenization import TokenLimits, tokenise
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import Scorer
from dfwe.records import Instance, PartialEvaluation

LABELS = ("joy", "anger", "fear")
SAMPLED = ReferenceDecoding(do_sample=True, num_beams=2, repetition_penalty=5.0, max_length=20, seed=0)


def scorer(tokenizer, cache, *, decode="labels", num=7, candidates=LABELS, max_tokens=64, bf16=False):
    instances = [
        Instance(f"i{i}", "d", "context: " + "glad " * (i % 4), " emotion:", ("joy",), (LABELS[i % 3],), candidates)
        for i in range(num)
    ]
    split = tokenise(instances, tokenizer=tokenizer, limits=TokenLimits(64, 8), cache=cache)
    decoding = Decoding(
        decode=decode, max_new_tokens=4, max_tokens=max_tokens, text_tokens=2 * max_tokens, bf16=bf16, reference=SAMPLED
    )
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


def test_a_free_text_that_is_no_label_counts_as_wrong(model, tokenizer, tmp_path):
    found = scorer(tokenizer, tmp_path, decode="greedy")(model)
    assert not set(found.predictions) & set(LABELS), "the random model must not know the labels"
    assert found.score == 0.0


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


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_a_batch_that_does_not_fit_the_memory_is_halved_once_and_for_all(model, tokenizer, tmp_path, caplog, error):
    expected = scorer(tokenizer, tmp_path, max_tokens=10_000).predict(model)
    split, asked = scorer(tokenizer, tmp_path, max_tokens=10_000), []
    encode = model.get_encoder().forward

    def at_most_two(input_ids, **more):
        asked.append(len(input_ids))
        if len(input_ids) > 2:
            raise error
        return encode(input_ids=input_ids, **more)

    model.get_encoder().forward = at_most_two
    assert split.predict(model) == expected
    assert asked == [7, 3, 1, 2, 4, 2, 2]
    assert caplog.text.count("going on with halves") == 3
    asked.clear()
    assert split.predict(model) == expected
    assert asked == [1, 2, 2, 2]


def test_an_error_of_another_kind_and_a_lone_instance_that_does_not_fit_are_raised(model, tokenizer, tmp_path):
    def fail(error):
        def forward(**_):
            raise error

        model.get_encoder().forward = forward

    fail(RuntimeError("wrong shapes"))
    with pytest.raises(RuntimeError, match="wrong shapes"):
        scorer(tokenizer, tmp_path).predict(model)
    fail(torch.OutOfMemoryError("CUDA"))
    with pytest.raises(torch.OutOfMemoryError):
        scorer(tokenizer, tmp_path, num=1).predict(model)


@pytest.mark.parametrize(("decode", "candidates"), [("labels", LABELS), ("greedy", ())])
def test_in_bf16_a_copy_answers_and_follows_the_models_weights(model, tokenizer, tmp_path, decode, candidates):
    half = scorer(tokenizer, tmp_path, decode=decode, candidates=candidates, bf16=True)
    assert half.predict(model) == half.predict(model)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    with torch.no_grad():
        model.lm_head.weight.mul_(-1.0)
    fresh = scorer(tokenizer, tmp_path, decode=decode, candidates=candidates, bf16=True)
    assert half.predict(model) == fresh.predict(model)


def answered_as(split, answers):
    """The evaluation of other answers, to race against."""
    return split.evaluate(tuple(answers))


def test_a_race_that_is_not_lost_ends_as_without_one(model, tokenizer, tmp_path):
    split = scorer(tokenizer, tmp_path)
    whole = split(model)
    raced = split.race(model, best=whole)
    assert (raced.score, raced.metrics, raced.predictions) == (whole.score, whole.metrics, whole.predictions)
    np.testing.assert_array_equal(raced.counts, whole.counts)


@pytest.mark.parametrize(("decode", "candidates"), [("labels", LABELS), ("greedy", ()), ("reference", ())])
def test_a_lost_race_keeps_the_answers_of_the_batches_so_far(model, tokenizer, tmp_path, decode, candidates):
    split = scorer(tokenizer, tmp_path, decode=decode, candidates=candidates, num=12, max_tokens=32)
    whole = split(model)
    raced = split.race(model, best=answered_as(split, [LABELS[i % 3] for i in range(12)]))
    assert isinstance(raced, PartialEvaluation)
    assert 0 < raced.num_answered < 12
    assert all(answer in (None, full) for answer, full in zip(raced.predictions, whole.predictions, strict=True))
    assert whole.score <= raced.bound < 1.0
    assert split.bound(raced.predictions) == pytest.approx(raced.bound)
    assert split.predict(model) == whole.predictions  # no batch was lost


def test_a_race_lost_at_the_last_batch_has_a_score(model, tokenizer, tmp_path):
    split = scorer(tokenizer, tmp_path, max_tokens=10_000)
    assert split.race(model, best=answered_as(split, [LABELS[i % 3] for i in range(7)])).score == split(model).score


def test_halves_of_a_batch_that_did_not_fit_outlive_a_lost_race(model, tokenizer, tmp_path):
    split = scorer(tokenizer, tmp_path, max_tokens=10_000)
    expected, encode = split.predict(model), model.get_encoder().forward

    def at_most_two(input_ids, **more):
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA")
        return encode(input_ids=input_ids, **more)

    model.get_encoder().forward = at_most_two
    raced = split.race(model, best=answered_as(split, [LABELS[i % 3] for i in range(7)]))
    assert raced.num_answered < 7
    assert split.predict(model) == expected


def test_the_bound_of_answers_for_another_split_is_refused(tokenizer, tmp_path):
    with pytest.raises(MetricError, match="found 2 answers for 7 instances"):
        scorer(tokenizer, tmp_path).bound(("joy", None))


def test_a_correlation_has_no_bound_to_race_with(tokenizer, tmp_path):
    assert scorer(tokenizer, tmp_path).has_bound
    instances = [Instance("i", "d", "context:", " score:", ("1",), ("1",), ("1", "2"))]
    split = tokenise(instances, tokenizer=tokenizer, limits=TokenLimits(64, 8), cache=tmp_path)
    decoding = Decoding(decode="labels", max_new_tokens=4, max_tokens=64, text_tokens=64, bf16=False)
    metrics = Scorer(metrics={"pearson": Pearson(unparsable=-1.0)})
    assert not SplitScorer(split, scorer=metrics, decoding=decoding, tokenizer=tokenizer).has_bound


def test_an_evaluation_has_its_label_scores_in_the_order_of_the_instances(model, tokenizer, tmp_path):
    one_by_one = scorer(tokenizer, tmp_path, max_tokens=1)(model)
    together = scorer(tokenizer, tmp_path, max_tokens=10_000)(model)
    assert one_by_one.label_scores.shape == (7, 3)
    np.testing.assert_allclose(one_by_one.label_scores, together.label_scores, atol=1e-5)
    assert [LABELS[place] for place in one_by_one.label_scores.argmax(axis=1)] == list(one_by_one.predictions)


def test_free_text_has_no_label_scores(model, tokenizer, tmp_path):
    free = scorer(tokenizer, tmp_path, decode="greedy", candidates=())
    assert free(model).label_scores is None
    assert free.label_counts() is None


def test_label_counts_are_those_of_the_label_as_the_answer(model, tokenizer, tmp_path):
    split = scorer(tokenizer, tmp_path)
    counts = split.label_counts()
    found = split(model)
    places = [LABELS.index(answer) for answer in found.predictions]
    np.testing.assert_array_equal(counts[np.arange(7), places], found.counts)
