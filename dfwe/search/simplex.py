"""From any real vector to coefficients that are positive and sum to one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def softmax(logits: Float[np.ndarray, " experts"]) -> Float[np.ndarray, " experts"]:
    """alpha_i = exp(z_i) / sum_j exp(z_j): coefficients in [0, 1] that sum to 1.

    Equal logits give exactly `Coefficients.uniform`; logits of any size are safe.
    """
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())
