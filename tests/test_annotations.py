"""Annotations are checked while tests run: of functions with and without tensors, of methods, dataclasses, closures."""

import numpy as np
import pytest

from dfwe.metrics.span import _cleaner
from dfwe.metrics.statistics import mcnemar, optimism
from dfwe.records import Answer
from dfwe.values.names import NotReserved

CALLS = {
    "type": lambda: optimism("0.5", 0.5),
    "tensor's type": lambda: mcnemar(np.zeros(3), np.zeros(3)),
    "tensors of one shape": lambda: mcnemar(np.zeros(3, dtype=bool), np.zeros(4, dtype=bool)),
    "method": lambda: NotReserved().holds(3),
    "dataclass": lambda: Answer(3, None),
    "inner function": lambda: _cleaner(["none"])(3),
}


@pytest.mark.parametrize("call", CALLS)
def test_wrong_values_are_refused(call):
    with pytest.raises(TypeError, match=r"violates type hint|Type-check error"):
        CALLS[call]()


def test_an_inner_function_is_compiled_a_few_times():
    closures = [_cleaner(["none"]) for _ in range(100)]
    assert closures[-1]("cup") == "cup"
    assert not hasattr(closures[-1], "__wrapped__")
