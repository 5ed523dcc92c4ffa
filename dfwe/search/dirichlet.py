"""Random mixtures, the search to compare others with."""

from __future__ import annotations

import numpy as np

from dfwe.search.asked import Race
from dfwe.search.sampled import Sampled
from dfwe.search.space import Space
from dfwe.values.allowed import Count


class Dirichlet(Sampled):
    """Independent draws from the Dirichlet distribution with all concentrations 1: uniform over the simplex.

    What has a box is drawn evenly from it. With `race` a candidate's evaluation may be stopped once it cannot be the
    best: the best is the same. So it is with any number of `asks` at once, so that defaults do no harm.

    Raises:
        SearchError: `race` is neither true nor false, or `asks` is below 1.
    """

    def __init__(self, space: Space, *, seed: int, budget: Count, race: Race = True, asks: Count = 1) -> None:
        generator = np.random.default_rng(seed)
        super().__init__(lambda: space.point(space.draw(generator)), budget=budget, race=race, asks=asks)
