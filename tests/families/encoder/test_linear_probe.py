"""Heads trained first: logistic and ridge regression on frozen features."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from dfwe.errors import DataError
from dfwe.families.classifier.model import load_classifier
from dfwe.families.encoder.data import SentenceSplit
from dfwe.families.encoder.linear_probe import LinearProbe, layer_inputs, train_head
from dfwe.families.encoder.reader import HeadReader
from dfwe.families.scorer import SplitScorer
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.scorer import Scorer
from dfwe.records import Instance

LABELS = ("bad", "good", "mixed")
PROBE = LinearProbe(l2=2.0, max_iterations=500)
LAYER = "heads.mood.network.classifier"


def features_and_gold(*, seed=0, num_labels=3, examples=60):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(examples, 5, generator=generator, dtype=torch.float64) * 3 + 1
    gold = torch.randint(num_labels, (examples,), generator=generator).double()
    return features + gold[:, None], gold


@pytest.mark.parametrize("num_labels", [2, 3])
def test_fit_labels_equals_scikit_learn(num_labels):
    features, gold = features_and_gold(num_labels=num_labels)
    weight, bias = PROBE.fit(features, gold, num_labels=num_labels)
    scaled = StandardScaler().fit_transform(features.numpy())
    # of two labels scikit-learn fits one weight vector w, of which ours are -w/2 and w/2: half the squared norm
    model = LogisticRegression(C=1 / PROBE.l2 * (2 if num_labels == 2 else 1), max_iter=5000, tol=1e-10)
    expected = model.fit(scaled, gold.numpy()).predict_proba(scaled)
    np.testing.assert_allclose((features @ weight.t() + bias).softmax(-1).numpy(), expected, atol=1e-5)


def test_fit_numbers_equals_scikit_learn_ridge():
    features, gold = features_and_gold(num_labels=6)
    weight, bias = PROBE.fit(features, gold, num_labels=0)
    scaled = StandardScaler().fit_transform(features.numpy())
    expected = Ridge(alpha=PROBE.l2).fit(scaled, gold.numpy()).predict(scaled)
    np.testing.assert_allclose((features @ weight.t() + bias)[:, 0].numpy(), expected, atol=1e-5)


def test_fit_constant_feature_and_missing_label_stay_finite():
    features, gold = features_and_gold(num_labels=2)
    features[:, 0] = 7.0
    weight, bias = PROBE.fit(features, gold, num_labels=3)
    assert bool(weight.isfinite().all() and bias.isfinite().all())
    assert not bool(((features @ weight.t() + bias).argmax(1) == 2).any())


def split_of(tokens, gold, *, task="mood", candidates=LABELS):
    instances = tuple(
        Instance(str(n), "d", "", "", (text,), (text,), candidates, ("a sentence",)) for n, text in enumerate(gold)
    )
    numbers = [candidates.index(text) if candidates else float(text) for text in gold]
    return SentenceSplit(task, instances, tuple((ids,) for ids in tokens), np.array(numbers, dtype=float), pad_id=0)


@pytest.fixture
def model(tiny_bert):
    return load_classifier(tiny_bert, answers={"mood": LABELS, "alike": ()}, seed=3)


def moods():
    tokens = [[2, 10 + n % 7, 20 + n % 5, 3] for n in range(30)]
    return split_of(tokens, [LABELS[n % 7 % 3] for n in range(30)])


def test_train_head_raises_accuracy_and_leaves_model(model):
    split = moods()
    scorer = SplitScorer(HeadReader(split, max_tokens=64), scorer=Scorer({"acc": Accuracy(LABELS)}))
    before = scorer(model).score
    weights = {name: p.clone() for name, p in model.named_parameters()}
    head = train_head(model, split, layer=LAYER, probe=LinearProbe(l2=0.01, max_iterations=300), max_tokens=64)
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())
    assert set(head) == {"heads.mood.network.classifier.weight", "heads.mood.network.classifier.bias"}
    model.load_state_dict(head, strict=False)
    assert before < scorer(model).score == 1.0


def test_train_head_numbers_reach_gold(model):
    split = split_of(
        [[2, 10 + n % 3, 3] for n in range(12)], [str(n % 3) for n in range(12)], task="alike", candidates=()
    )
    layer = "heads.alike.network.classifier"
    head = train_head(model, split, layer=layer, probe=LinearProbe(l2=1e-4, max_iterations=300), max_tokens=64)
    model.load_state_dict(head, strict=False)
    scorer = SplitScorer(HeadReader(split, max_tokens=64), scorer=Scorer({"acc": Accuracy(("0",))}))
    assert [round(float(answer.text)) for answer in scorer.answers(model)] == [n % 3 for n in range(12)]


def test_train_head_twice_gives_same_bits(model):
    first, second = (train_head(model, moods(), layer=LAYER, probe=PROBE, max_tokens=64) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_features_keep_order_of_split(model):
    split = moods()
    together = layer_inputs(model, split, layer=LAYER, max_tokens=64)
    alone = layer_inputs(model, split_of([split.tokens[4][0]], ["bad"]), layer=LAYER, max_tokens=64)
    assert torch.allclose(together[4], alone[0], atol=1e-5)


def test_train_head_without_answers_is_refused(model):
    split = split_of([], [])
    with pytest.raises(DataError, match="mood: its head cannot be trained first"):
        train_head(model, split, layer=LAYER, probe=PROBE, max_tokens=64)
