"""Label scores as JSON holds them: to the last bit, and in a quarter of the digits' room."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float


def packed(scores: Float[np.ndarray, "examples labels"]) -> dict[str, Any]:
    """The number of examples and of labels, and float32 numbers, little-endian, row by row, in base 64."""
    return {"shape": list(scores.shape), "float32": base64.b64encode(scores.astype("<f4").tobytes()).decode()}


def unpacked(record: Mapping[str, Any]) -> Float[np.ndarray, "examples labels"]:
    """What was packed; raises KeyError, TypeError or ValueError where the record is no such thing."""
    numbers = np.frombuffer(base64.b64decode(record["float32"], validate=True), dtype="<f4")
    num_examples, num_labels = record["shape"]
    return numbers.reshape(num_examples, num_labels).astype(np.float32)
