"""Random mixtures, the search to compare others with."""

from __future__ import annotations

import numpy as np

from dfwe.search.optimizers.pending import Pruning, SequenceSearch
from dfwe.search.space import Space
from dfwe.values.allowed import Count


class Dirichlet(SequenceSearch):
    """Draw independently from the Dirichlet distribution with all concentrations 1: uniform over the simplex.

    Numbers with a range are drawn uniformly from it. Pruning and batch size do not change the best candidate, so
    their defaults are safe.

    Raises:
        SearchError: `pruning` is neither true nor false, or `batch_size` is below 1.
    """

    def __init__(
        self, space: Space, *, seed: int, budget: Count, pruning: Pruning = True, batch_size: Count = 1
    ) -> None:
        generator = np.random.default_rng(seed)
        super().__init__(
            lambda: space.point(space.draw(generator)), budget=budget, pruning=pruning, batch_size=batch_size
        )
