"""The answers of a model with heads on a split, and on several."""

import numpy as np
import pytest
import torch
from torch import nn

from dfwe.errors import MetricError, ModelError
from dfwe.families.encoder.data import SentenceSplit
from dfwe.families.encoder.reader import HeadReader
from dfwe.families.scorer import MeanScorer, SplitScorer
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import Scorer
from dfwe.records import Instance, PartialEvaluation

MOODS = ("good", "bad")


class Moods:
    """Good where the mean token is small."""

    def answers(self, outputs):
        return tuple(MOODS[place] for place in outputs.argmax(-1).tolist())

    def label_scores(self, outputs):
        return outputs.log_softmax(-1)


class Numbers:
    def answers(self, outputs):
        return tuple(repr(number) for number in outputs[:, 0].tolist())

    def label_scores(self, outputs):
        return None


class Model(nn.Module):
    """Moods of one sentence by its mean token, the difference of the mean tokens of two."""

    def __init__(self):
        super().__init__()
        self.scale, self.sizes, self.most = nn.Parameter(torch.ones(())), [], 10_000
        self.dropout = nn.Dropout(0.5)

    def head(self, task):
        if task not in ("mood", "gap"):
            raise ModelError(f"no head for task '{task}'")
        return Moods() if task == "mood" else Numbers()

    def forward(self, batch):
        self.head(batch["task"])
        ids, mask = batch["input_ids"].float(), batch["attention_mask"]
        if len(ids) > self.most:
            raise torch.OutOfMemoryError("CUDA")
        self.sizes.append(ids.numel())
        means = self.dropout(self.scale * (ids * mask).sum(1) / mask.sum(1))
        if batch["task"] == "mood":
            return torch.stack([5.0 - means, means - 5.0], dim=1)
        first, second = means.view(2, -1)
        return (first - second)[:, None]


def split(task, tokens, gold, *, candidates=()):
    instances = tuple(
        Instance(f"{task}{n}", "d", "", "", (text,), (text,), candidates, ("a sentence",) * len(tokens[n]))
        for n, text in enumerate(gold)
    )
    return SentenceSplit(task, instances, tuple(tokens), np.zeros(len(gold)), pad_id=0)


def mood(*, max_tokens=64):
    tokens = [([9, 9, 9],), ([1],), ([2, 2],), ([4, 4, 8, 8],), ([3],)]
    found = split("mood", tokens, ["bad", "good", "bad", "bad", "bad"], candidates=MOODS)
    return SplitScorer(HeadReader(found, max_tokens=max_tokens), scorer=Scorer({"acc": Accuracy(MOODS)}))


def gap(*, max_tokens=64, first=(3, 2, 9)):
    tokens = [([first[0]], [1, 1]), ([first[1]] * 3, [1]), ([first[2]], [1])]
    found = split("gap", tokens, ["0.5", "0", "4"])
    return SplitScorer(HeadReader(found, max_tokens=max_tokens), scorer=Scorer({"pearson": Pearson(unparsable=-1.0)}))


def test_answers_come_in_the_order_of_the_instances_with_their_labels_scores():
    found = mood()(Model())
    assert found.predictions == ("bad", "good", "good", "bad", "good")
    assert found.score == pytest.approx(3 / 5)
    assert found.label_scores.shape == (5, 2)
    np.testing.assert_allclose(found.label_scores[1], torch.tensor([4.0, -4.0]).log_softmax(0), rtol=1e-6)
    assert found.label_scores.argmax(1).tolist() == [1, 0, 0, 1, 0]


def test_numbers_of_pairs_have_no_label_scores():
    found = gap()(Model())
    assert [float(text) for text in found.predictions] == [2.0, 1.0, 8.0]
    assert found.label_scores is None
    assert found.metrics["pearson"] == pytest.approx(np.corrcoef([2, 1, 8], [0.5, 0, 4])[0, 1])


def test_no_batch_has_more_tokens_than_allowed_both_sentences_and_padding_included():
    model = Model()
    found, whole = gap(max_tokens=8)(model), gap()(Model())
    assert max(model.sizes) <= 8
    assert len(model.sizes) == 2
    assert found.predictions == whole.predictions


def test_a_batch_that_does_not_fit_the_memory_is_halved_once_and_for_all(caplog):
    scorer, model = mood(), Model()
    expected = scorer(model).predictions
    model.most, model.sizes = 2, []
    assert scorer(model).predictions == expected
    assert caplog.text.count("going on with halves") == 2
    assert scorer(model).predictions == expected
    assert caplog.text.count("going on with halves") == 2


def test_the_models_mode_is_left_as_it_was_and_dropout_is_off():
    model = Model().train()
    assert mood()(model).predictions == mood()(Model().eval()).predictions
    assert model.training


def test_label_counts_are_what_each_label_would_count():
    scorer = mood()
    counts = scorer.label_counts()
    assert counts.shape == (5, 2, 2)
    assert counts[:, 0, 0].tolist() == [0, 1, 0, 0, 0]
    assert gap().label_counts() is None


def test_a_task_without_a_head_is_the_models_error():
    other = SplitScorer(HeadReader(split("taste", [([1],)], ["good"]), max_tokens=8), scorer=mood().scorer)
    with pytest.raises(ModelError, match="no head for task 'taste'"):
        other(Model())


def test_the_mean_of_tasks_is_over_their_scores_not_their_instances():
    both = MeanScorer({"mood": mood(), "gap": gap()})
    found, (moods, gaps) = both(Model()), (mood()(Model()), gap()(Model()))
    assert len(both) == 8
    assert found.score == pytest.approx((moods.score + gaps.score) / 2)
    assert found.metrics == {"mood/acc": moods.score, "gap/pearson": gaps.score}
    assert found.predictions == moods.predictions + gaps.predictions
    assert both.scorer.score(found.counts.sum(axis=0)) == pytest.approx(found.score)
    again = both.evaluate(found.predictions)
    assert again.score == found.score
    np.testing.assert_array_equal(again.counts, found.counts)


def test_constant_numbers_are_undefined_in_the_mean_too():
    found = MeanScorer({"mood": mood(), "gap": gap(first=(2, 2, 2))})(Model())
    assert found.undefined == ("gap/pearson",)
    assert found.scores["score"] is None


def test_answers_of_all_parts_are_needed():
    both = MeanScorer({"mood": mood(), "gap": gap()})
    with pytest.raises(MetricError, match=r"found 2 answers for 8 instances \(mood 5, gap 3\)"):
        both.evaluate(("good", "bad"))
    assert both.split(tuple("abcdefgh")) == {"mood": tuple("abcde"), "gap": tuple("fgh")}


def test_race_of_labels_is_lost_before_the_last_batch():
    scorer, whole = mood(max_tokens=3), mood()(Model())
    raced = scorer.score_pruned(Model(), best=scorer.evaluate(("bad", "good", "bad", "bad", "bad")))
    assert isinstance(raced, PartialEvaluation)
    assert 0 < raced.num_answered < 5
    assert whole.score <= raced.bound < 1.0
    assert not gap().has_bound


def test_mean_of_tasks_has_no_bound_and_nothing_is_approximated():
    scorer = MeanScorer({"mood": mood(), "gap": gap()})
    assert not scorer.has_bound
    assert not scorer.approximates
    with pytest.raises(MetricError, match="it has no bound"):
        scorer.bound(("good",))
    with pytest.raises(MetricError, match="it has no bound"):
        scorer.score_pruned(Model(), best=mood()(Model()))
