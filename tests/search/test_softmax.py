from __future__ import annotations

import numpy as np
import pytest

from dfwe.records import Coefficients
from dfwe.search.space import Space, distance, softmax


def test_softmax_matches_the_formula():
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 5.0])), [0.125, 0.25, 0.625])


@pytest.mark.parametrize("num", range(1, 12))
def test_softmax_of_zeros_is_exactly_uniform(num):
    names = tuple(map(str, range(num)))
    assert Space(names).start == Coefficients.uniform(names)


@pytest.mark.parametrize("logits", [[1e5, 0.0, -1e5], [-1e300, -1e300, 0.0], [700.0, 701.0, 702.0]])
def test_softmax_of_large_logits_is_finite(logits):
    values = softmax(np.array(logits))
    assert (values >= 0).all()
    assert values.sum() == pytest.approx(1.0, abs=1e-12)


def test_distance_of_mirrored_mixtures_is_equal():
    far = {
        distance(Coefficients(("a", "b", "c"), v), start=Coefficients.uniform("abc"))
        for v in [(0.7, 0.2, 0.1), (0.1, 0.7, 0.2)]
    }
    assert len(far) == 1
    assert distance(Coefficients(("a", "b"), (1.0, 0.0)), start=Coefficients.uniform("ab")) == pytest.approx(0.5**0.5)
