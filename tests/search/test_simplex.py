from __future__ import annotations

import numpy as np
import pytest

from dfwe.records import Coefficients
from dfwe.search.space import Space, distance, softmax


def test_softmax_is_the_formula():
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 5.0])), [0.125, 0.25, 0.625])


@pytest.mark.parametrize("num", range(1, 12))
def test_zero_logits_are_exactly_the_uniform_mixture(num):
    names = tuple(map(str, range(num)))
    assert Space(names).start == Coefficients.uniform(names)


@pytest.mark.parametrize("logits", [[1e5, 0.0, -1e5], [-1e300, -1e300, 0.0], [700.0, 701.0, 702.0]])
def test_logits_of_any_size_give_coefficients(logits):
    values = softmax(np.array(logits))
    assert (values >= 0).all()
    assert values.sum() == pytest.approx(1.0, abs=1e-12)


def test_mirrored_mixtures_are_equally_far_from_uniform():
    far = {
        distance(Coefficients(("a", "b", "c"), v), start=Coefficients.uniform("abc"))
        for v in [(0.7, 0.2, 0.1), (0.1, 0.7, 0.2)]
    }
    assert len(far) == 1
    assert distance(Coefficients(("a", "b"), (1.0, 0.0)), start=Coefficients.uniform("ab")) == pytest.approx(0.5**0.5)
