"""From any real vector to coefficients that are positive and sum to one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dfwe.records import Coefficients


def softmax(logits: Float[np.ndarray, " experts"]) -> Float[np.ndarray, " experts"]:
    """alpha_i = exp(z_i) / sum_j exp(z_j): coefficients in [0, 1] that sum to 1.

    Equal logits give exactly `Coefficients.uniform`; logits of any size are safe.
    """
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def coefficients_at(logits: Float[np.ndarray, " experts"], *, names: tuple[str, ...]) -> Coefficients:
    """The mixture that a search's point stands for."""
    return Coefficients(names, tuple(softmax(logits).tolist()))


def distance_from_uniform(coefficients: Coefficients) -> float:
    """Euclidean distance to the uniform mixture, to 12 digits, so that mirrored mixtures are equally far."""
    values = coefficients.as_array()
    return round(float(np.linalg.norm(values - 1.0 / len(values))), 12)
