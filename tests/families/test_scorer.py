"""A model's answers on a split."""

import numpy as np
import pytest
import torch

from dfwe.errors import ConfigurationError, MetricError, ModelError
from dfwe.families.fast.kernels import HalfCopy
from dfwe.families.scorer import SplitScorer
from dfwe.families.seq2seq.inference.asking import Seq2SeqInference
from dfwe.families.text.decoding import Decoding, ReferenceDecoding
from dfwe.families.text.reader import TextReader
from dfwe.families.text.tokenization import TokenLimits, tokens_in_memory
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import Scorer
from dfwe.records import Instance, PartialEvaluation

LABELS = ("joy", "anger", "fear")
SAMPLED = ReferenceDecoding(do_sample=True, num_beams=2, repetition_penalty=5.0, max_length=20, seed=0)


def scorer(tokenizer, *, decode="labels", num=7, candidates=LABELS, max_tokens=64, bf16=False):
    instances = [
        Instance(f"i{i}", "d", "context: " + "glad " * (i % 4), " emotion:", ("joy",), (LABELS[i % 3],), candidates)
        for i in range(num)
    ]
    split = tokens_in_memory(instances, tokenizer=tokenizer, limits=TokenLimits(64, 8))
    decoding = Decoding(
        decode=decode, max_new_tokens=4, max_tokens=max_tokens, text_tokens=2 * max_tokens, reference=SAMPLED
    )
    metrics = Scorer(metrics={"acc": Accuracy(labels=list(LABELS))})
    reader = TextReader(split, decoding=decoding, tokenizer=tokenizer, inference=Seq2SeqInference())
    return SplitScorer(reader, scorer=metrics, half=HalfCopy() if bf16 else None)


def test_answers_come_in_the_order_of_the_instances_whatever_the_batches(model, tokenizer):
    one_by_one = scorer(tokenizer, max_tokens=1)(model).predictions
    together = scorer(tokenizer, max_tokens=10_000)(model).predictions
    assert one_by_one == together
    assert set(one_by_one) <= set(LABELS)


def test_the_evaluation_scores_the_answers(model, tokenizer):
    split = scorer(tokenizer)
    found = split(model)
    right = [answer == LABELS[i % 3] for i, answer in enumerate(found.predictions)]
    assert found.score == pytest.approx(sum(right) / 7)
    assert len(found.counts) == 7


def test_the_models_mode_is_left_as_it_was(model, tokenizer):
    model.train()
    scorer(tokenizer)(model)
    assert model.training


def test_greedy_answers_are_free_text_and_repeat(model, tokenizer):
    free = scorer(tokenizer, decode="greedy", candidates=())
    assert free(model).predictions == free(model).predictions


def test_settings_of_generate_that_texts_lack_are_named(model, tokenizer, caplog):
    free = scorer(tokenizer, decode="greedy", num=1)
    model.generation_config.update(repetition_penalty=1.0, min_length=0, do_sample=True)
    free(model)
    assert not caplog.text
    model.generation_config.update(repetition_penalty=1.1, forced_bos_token_id=0)
    free(model)
    assert "written without repetition_penalty=1.1, forced_bos_token_id=0 of the model's gen" in caplog.text


def test_a_free_text_that_is_no_label_counts_as_wrong(model, tokenizer):
    found = scorer(tokenizer, decode="greedy")(model)
    assert not set(found.predictions) & set(LABELS), "the random model must not know the labels"
    assert found.score == 0.0


def test_the_references_decoding_repeats_and_leaves_torchs_generator_alone(model, tokenizer):
    sampled = scorer(tokenizer, decode="reference", num=3)
    torch.manual_seed(1)
    first, after = sampled(model).predictions, torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(1))
    assert sampled(model).predictions == first


def test_label_scoring_needs_a_closed_set(tokenizer):
    with pytest.raises(ConfigurationError, match="needs a closed set of answers; use decode=greedy"):
        scorer(tokenizer, candidates=())


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_a_batch_that_does_not_fit_the_memory_is_halved_once_and_for_all(model, tokenizer, caplog, error):
    expected = scorer(tokenizer, max_tokens=10_000)(model).predictions
    split, asked = scorer(tokenizer, max_tokens=10_000), []
    encode = model.get_encoder().forward

    def at_most_two(input_ids, **more):
        asked.append(len(input_ids))
        if len(input_ids) > 2:
            raise error
        return encode(input_ids=input_ids, **more)

    model.get_encoder().forward = at_most_two
    assert split(model).predictions == expected
    assert asked == [7, 3, 1, 2, 4, 2, 2]
    assert caplog.text.count("going on with halves") == 3
    asked.clear()
    assert split(model).predictions == expected
    assert asked == [1, 2, 2, 2]


def test_other_errors_and_a_lone_instance_without_room_raise(model, tokenizer):
    def fail(error):
        def forward(**_):
            raise error

        model.get_encoder().forward = forward

    fail(RuntimeError("wrong shapes"))
    with pytest.raises(RuntimeError, match="wrong shapes"):
        scorer(tokenizer)(model)
    fail(torch.OutOfMemoryError("CUDA"))
    with pytest.raises(ModelError, match=r"no memory for one instance: set trainer\.eval_tokens"):
        scorer(tokenizer, num=1)(model)


@pytest.mark.parametrize(("decode", "candidates"), [("labels", LABELS), ("greedy", ())])
def test_in_bf16_a_copy_answers_and_follows_the_models_weights(model, tokenizer, decode, candidates):
    half = scorer(tokenizer, decode=decode, candidates=candidates, bf16=True)
    assert half(model).predictions == half(model).predictions
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    with torch.no_grad():
        model.lm_head.weight.mul_(-1.0)
    fresh = scorer(tokenizer, decode=decode, candidates=candidates, bf16=True)
    assert half(model).predictions == fresh(model).predictions


def answered_as(split, answers):
    """The evaluation of other answers, to prune against."""
    return split.evaluate(tuple(answers))


def test_a_race_that_is_not_lost_ends_as_without_one(model, tokenizer):
    split = scorer(tokenizer)
    whole = split(model)
    raced = split.score_pruned(model, best=whole)
    assert (raced.score, raced.metrics, raced.predictions) == (whole.score, whole.metrics, whole.predictions)
    np.testing.assert_array_equal(raced.counts, whole.counts)


@pytest.mark.parametrize(("decode", "candidates"), [("labels", LABELS), ("greedy", ()), ("reference", ())])
def test_a_lost_race_keeps_the_answers_of_the_batches_so_far(model, tokenizer, decode, candidates):
    split = scorer(tokenizer, decode=decode, candidates=candidates, num=12, max_tokens=32)
    whole = split(model)
    raced = split.score_pruned(model, best=answered_as(split, [LABELS[i % 3] for i in range(12)]))
    assert isinstance(raced, PartialEvaluation)
    assert 0 < raced.num_answered < 12
    assert all(answer in (None, full) for answer, full in zip(raced.predictions, whole.predictions, strict=True))
    assert whole.score <= raced.bound < 1.0
    assert split.bound(raced.predictions) == pytest.approx(raced.bound)
    assert split(model).predictions == whole.predictions  # no batch was lost


def test_a_race_lost_at_the_last_batch_has_a_score(model, tokenizer):
    split = scorer(tokenizer, max_tokens=10_000)
    assert (
        split.score_pruned(model, best=answered_as(split, [LABELS[i % 3] for i in range(7)])).score
        == split(model).score
    )


def test_halves_of_a_batch_that_did_not_fit_outlive_a_lost_race(model, tokenizer):
    split = scorer(tokenizer, max_tokens=10_000)
    expected, encode = split(model).predictions, model.get_encoder().forward

    def at_most_two(input_ids, **more):
        if len(input_ids) > 2:
            raise torch.OutOfMemoryError("CUDA")
        return encode(input_ids=input_ids, **more)

    model.get_encoder().forward = at_most_two
    raced = split.score_pruned(model, best=answered_as(split, [LABELS[i % 3] for i in range(7)]))
    assert raced.num_answered < 7
    assert split(model).predictions == expected


def test_the_bound_of_answers_for_another_split_is_refused(tokenizer):
    with pytest.raises(MetricError, match="found 2 answers for 7 instances"):
        scorer(tokenizer).bound(("joy", None))


def test_a_correlation_has_no_bound_to_race_with(tokenizer):
    assert scorer(tokenizer).has_bound
    instances = [Instance("i", "d", "context:", " score:", ("1",), ("1",), ("1", "2"))]
    split = tokens_in_memory(instances, tokenizer=tokenizer, limits=TokenLimits(64, 8))
    decoding = Decoding(decode="labels", max_new_tokens=4, max_tokens=64, text_tokens=64)
    metrics = Scorer(metrics={"pearson": Pearson(unparsable=-1.0)})
    assert not SplitScorer(
        TextReader(split, decoding=decoding, tokenizer=tokenizer, inference=Seq2SeqInference()), scorer=metrics
    ).has_bound


def test_an_evaluation_has_its_label_scores_in_the_order_of_the_instances(model, tokenizer):
    one_by_one = scorer(tokenizer, max_tokens=1)(model)
    together = scorer(tokenizer, max_tokens=10_000)(model)
    assert one_by_one.label_scores.shape == (7, 3)
    np.testing.assert_allclose(one_by_one.label_scores, together.label_scores, atol=1e-5)
    assert [LABELS[place] for place in one_by_one.label_scores.argmax(axis=1)] == list(one_by_one.predictions)


def test_free_text_has_no_label_scores(model, tokenizer):
    free = scorer(tokenizer, decode="greedy", candidates=())
    assert free(model).label_scores is None
    assert free.label_counts() is None


def test_label_counts_are_those_of_the_label_as_the_answer(model, tokenizer):
    split = scorer(tokenizer)
    counts = split.label_counts()
    found = split(model)
    places = [LABELS.index(answer) for answer in found.predictions]
    np.testing.assert_array_equal(counts[np.arange(7), places], found.counts)
