"""Annotations are checked while tests run, in the modules that annotate shapes."""

import numpy as np
import pytest

from dfwe.metrics.statistics import mcnemar, optimism
from dfwe.records import Answer

CALLS = {
    "type": lambda: optimism("0.5", 0.5),
    "tensor's type": lambda: mcnemar(np.zeros(3), np.zeros(3)),
    "tensors of one shape": lambda: mcnemar(np.zeros(3, dtype=bool), np.zeros(4, dtype=bool)),
    "dataclass": lambda: Answer(3, None),
}


@pytest.mark.parametrize("call", CALLS)
def test_wrong_values_are_refused(call):
    with pytest.raises(TypeError, match=r"violates type hint|Type-check error"):
        CALLS[call]()
