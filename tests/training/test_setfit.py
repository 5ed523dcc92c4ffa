"""SetFit by its package: how many pairs and steps there are, and that a seed decides everything."""

from importlib.util import find_spec
from itertools import combinations_with_replacement

import numpy as np
import pytest
import torch

from dfwe.families.encoder.weights import FreshBert
from dfwe.training.setfit import fit_setfit, num_pairs, num_steps

needs_setfit = pytest.mark.skipif(find_spec("setfit") is None, reason="needs the extra setfit")
BERT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
SETTINGS = {
    "epochs": 1, "max_pairs": 10_000, "batch_size": 4, "learning_rate": 1e-2, "warmup": 0.1, "sampling": "unique",
    "pooling": "mean", "normalize": True, "head_l2": 1.0, "head_max_iterations": 100,
}  # fmt: skip
TEXTS = ["warm bread", "a warm room", "warm and dry", "so warm", "cold water", "a cold day"]
LABELS = [0, 0, 0, 0, 1, 1]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A Hugging Face folder with a tiny random BERT."""
    folder = tmp_path_factory.mktemp("encoder")
    FreshBert(vocab_size=60, config=BERT).build(folder, seed=1, texts=TEXTS)
    return folder


def fitted(encoder, *, seed=0, **changes):
    settings = {**SETTINGS, **changes}
    shares = []
    others = {"max_tokens": 16, "device": torch.device("cpu"), "tell": shares.append}
    result = fit_setfit(encoder, texts=TEXTS, labels=LABELS, settings=settings, seed=seed, **others)
    return result, shares


def test_num_pairs_counts_each_with_itself():
    pairs = list(combinations_with_replacement(LABELS, 2))
    same = sum(a == b for a, b in pairs)
    assert (same, len(pairs) - same) == (13, 8)
    assert num_pairs(LABELS, sampling="unique") == 21
    assert num_pairs(LABELS, sampling="oversampling") == 2 * 13
    assert num_pairs(LABELS, sampling="undersampling") == 2 * 8


def test_num_steps_ends_at_the_cap():
    assert num_steps(LABELS, settings=SETTINGS) == 6  # ceil(21 / 4)
    assert num_steps(LABELS, settings={**SETTINGS, "epochs": 3}) == 18
    assert num_steps(LABELS, settings={**SETTINGS, "epochs": 3, "max_pairs": 30}) == 7
    assert num_steps(LABELS, settings={**SETTINGS, "max_pairs": 1}) == 1


@needs_setfit
@pytest.mark.parametrize(
    "changes",
    [{"sampling": "oversampling"}, {"sampling": "undersampling"}, {"epochs": 2}, {"max_pairs": 9}],
    ids=str,
)
def test_fit_takes_as_many_steps_as_are_counted(encoder, changes):
    result, shares = fitted(encoder, **changes)
    assert result.num_steps == len(shares) == num_steps(LABELS, settings={**SETTINGS, **changes})
    assert shares[-1] == 1.0


@needs_setfit
def test_fit_depends_on_the_seed_alone(encoder):
    probabilities = []
    for seed, elsewhere in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(elsewhere)
        np.random.seed(elsewhere)  # the package draws from it
        probabilities.append(fitted(encoder, seed=seed)[0].model.predict_proba(TEXTS, as_numpy=True))
    assert np.array_equal(probabilities[0], probabilities[1])
    assert not np.array_equal(probabilities[0], probabilities[2])


@needs_setfit
def test_fit_of_a_study_on_cpus_takes_no_gpu(encoder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    assert fitted(encoder, max_pairs=4)[0].num_steps == 1


@needs_setfit
def test_fit_counts_the_tokens_of_pairs_and_of_the_head(encoder):
    from transformers import AutoTokenizer

    lengths = [len(ids) for ids in AutoTokenizer.from_pretrained(encoder)(TEXTS)["input_ids"]]
    pairs = [a + b for a, b in combinations_with_replacement(lengths, 2)]
    assert fitted(encoder)[0].num_tokens == sum(pairs) + sum(lengths)


@needs_setfit
def test_fit_draws_texts_of_a_label_together(encoder):
    result, _ = fitted(encoder, epochs=8)
    embeddings = result.model.encode(TEXTS)
    cosines, same = embeddings @ embeddings.T, np.equal.outer(LABELS, LABELS)
    assert cosines[same].min() > cosines[~same].max() + 0.5
    assert result.labels(TEXTS) == LABELS


@needs_setfit
@pytest.mark.parametrize(("normalize", "norm"), [(True, 1.0), (False, None)])
def test_embeddings_have_length_one_where_that_is_asked_for(encoder, normalize, norm):
    result, _ = fitted(encoder, normalize=normalize, max_pairs=4)
    lengths = np.linalg.norm(result.model.encode(TEXTS), axis=1)
    assert np.allclose(lengths, 1.0) == (norm is not None)
