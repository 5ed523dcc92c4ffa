"""ROUGE and chrF: the libraries' own numbers."""

import importlib.util
import io
import sys

import numpy as np
import pytest

from dfwe.errors import ConfigurationError, MetricError
from dfwe.metrics import text
from dfwe.metrics.scorer import Scorer
from dfwe.metrics.text import ChrF, Rouge

PREDICTIONS = ["the cat sat on the mat", "a dog barks", "", "it rains\nand pours all day", "x"]
REFERENCES = [
    ["the cat is on the mat", "a cat sat"],
    ["dogs bark"],
    ["nothing"],
    ["it rains\nand it pours"],
    ["xy", "x"],
]
needs_rouge = pytest.mark.skipif(importlib.util.find_spec("rouge_score") is None, reason="needs the extra text-metrics")
needs_sacrebleu = pytest.mark.skipif(
    importlib.util.find_spec("sacrebleu") is None, reason="needs the extra text-metrics"
)


@needs_rouge
@pytest.mark.parametrize("kind", ["rouge1", "rouge2", "rougeL"])
@pytest.mark.parametrize("stemmer", [True, False])
def test_rouge_is_the_librarys(kind, stemmer):
    from rouge_score.rouge_scorer import RougeScorer

    score = Scorer({"rouge": Rouge(kind, stemmer)}).evaluate(PREDICTIONS, references=REFERENCES).score
    library = RougeScorer([kind], use_stemmer=stemmer)
    pairs = zip(PREDICTIONS, REFERENCES, strict=True)
    best = [library.score_multi(texts, answer)[kind].fmeasure for answer, texts in pairs]
    assert score == pytest.approx(np.mean(best), abs=1e-12)
    assert 0 < score < 1


@needs_rouge
def test_rouge_by_hand():
    # two words of three are shared, in order: precision 2/3, recall 1
    assert Scorer({"rouge": Rouge("rougeL", False)}).evaluate(
        ["a big cat"], references=[["a cat"]]
    ).score == pytest.approx(0.8)


@needs_rouge
def test_rouge_leaves_the_stream_of_errors_open():
    from absl.logging import get_absl_handler

    handler = get_absl_handler().python_handler
    handler.setStream(io.StringIO())  # as pytest's own, which its `close` would close
    text._rouge.cache_clear()
    Rouge("rouge1", False).counts(["a"], references=[["a"]])
    assert handler.stream is sys.__stderr__


@needs_sacrebleu
@pytest.mark.parametrize(("char_order", "word_order", "beta"), [(6, 0, 2), (6, 2, 2), (4, 1, 1)])
def test_chrf_is_the_librarys_of_the_corpus_and_of_any_sample(char_order, word_order, beta):
    from sacrebleu.metrics import CHRF

    scorer, library = Scorer({"chrf": ChrF(char_order, word_order, beta)}), CHRF(char_order, word_order, beta)

    def theirs(places):
        columns = [[(REFERENCES[place] * 2)[alternative] for place in places] for alternative in range(2)]
        return library.corpus_score([PREDICTIONS[place] for place in places], columns).score / 100

    evaluation = scorer.evaluate(PREDICTIONS, references=REFERENCES)
    assert evaluation.score == pytest.approx(theirs(range(5)), abs=1e-9)
    weights = np.array([[2, 0, 1, 1, 1], [0, 5, 0, 0, 0], [0, 0, 3, 0, 2]], dtype=np.float64)
    samples = [[0, 0, 2, 3, 4], [1] * 5, [2, 2, 2, 4, 4]]
    assert scorer.score(weights @ evaluation.counts) == pytest.approx([theirs(s) for s in samples], abs=1e-9)


@needs_sacrebleu
def test_equal_texts_have_chrf_1():
    assert Scorer({"chrf": ChrF(6, 0, 2)}).evaluate(["warm tea"], references=[["warm tea"]]).score == pytest.approx(1)


@needs_rouge
@needs_sacrebleu
@pytest.mark.parametrize("metric", ["rouge", "chrf"])
def test_no_examples_are_refused(metric):
    metrics = {"rouge": lambda: Rouge("rouge1", False), "chrf": lambda: ChrF(6, 0, 2)}
    with pytest.raises(MetricError, match="of no examples is undefined"):
        Scorer({metric: metrics[metric]()}).evaluate([], references=[])


@pytest.mark.parametrize(
    ("make", "package"), [(lambda: Rouge("rouge1", False), "rouge-score"), (lambda: ChrF(6, 0, 2), "sacrebleu")]
)
def test_a_missing_package_is_one_line(make, package, monkeypatch):
    monkeypatch.setattr(text, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=rf"needs the package {package}: install it .*dfwe\[text-metrics\]"):
        make()
