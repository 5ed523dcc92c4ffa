"""Searches that see a part of dev each, asked as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dfwe.records import Coefficients, Trial
from dfwe.search.base import Hearing, Search
from dfwe.search.part import Part
from dfwe.search.space import Space


class PartialSearch(Search, Hearing):
    """Several searches as one, asked in turn, each told how its points score on its own part of dev.

    Candidates are evaluated on all of dev, once each, whichever searches ask them; the budget is shared.
    """

    def __init__(self, inside: Sequence[Search], *, parts: Sequence[Part], space: Space) -> None:
        self.inside, self.parts = tuple(inside), tuple(parts)
        self._space = space
        self._going = list(range(len(self.inside)))  # the searches that have more to ask, the next one first
        self._pending: list[tuple[int, Float[np.ndarray, " dimensions"]]] = []
        self._trials: dict[Coefficients, Trial] = {}
        self._own: list[set[Coefficients]] = [set() for _ in self.inside]

    @property
    def budget(self) -> int:
        """What one of them is meant for."""
        return self.inside[0].budget

    @property
    def compares_only(self) -> bool:
        """No: the part that a search does not see is needed, too."""
        return False

    @property
    def asks(self) -> int:
        """All that they take together."""
        return sum(search.asks for search in self.inside)

    @property
    def found(self) -> Coefficients | None:
        """None: each has an end of its own."""
        return None

    @property
    def diameters(self) -> Sequence[float]:
        """Those of a search that is the only one."""
        return self.inside[0].diameters if len(self.inside) == 1 else ()

    def begin(self, known: Sequence[Trial]) -> None:
        """Each begins with what the known trials score on its part."""
        self._trials = {trial.coefficients: trial for trial in known}
        for search, part in zip(self.inside, self.parts, strict=True):
            search.begin([part.of(trial) for trial in known])

    def hear(self, trial: Trial) -> None:
        """Keeps it for the searches that asked it."""
        self._trials[trial.coefficients] = trial

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """The next search's next point; the oldest pending one where none may ask more."""
        for place in tuple(self._going):
            if sum(asker == place for asker, _ in self._pending) == self.inside[place].asks:
                continue
            self._going.remove(place)
            point = self.inside[place].ask()
            if point is not None:
                self._going.append(place)
                self._pending.append((place, point))
                return point.copy()
        return self._pending[0][1].copy() if self._pending else None

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Tells the search that asked it what it scores on its part; `loss`, all of dev's, nobody is told."""
        asked = next((each for each in self._pending if np.array_equal(each[1], point)), None)
        if asked is None:
            return
        self._pending = [each for each in self._pending if each is not asked]
        place, coefficients = asked[0], self._space.at(point)
        trial, search = self.parts[place].of(self._trials[coefficients]), self.inside[place]
        if isinstance(search, Hearing) and trial.kind == "search" and coefficients not in self._own[place]:
            search.hear(trial)
        self._own[place].add(coefficients)
        search.tell(point, loss=-trial.evaluation.score)

    def close(self) -> None:
        """Closes them all."""
        for search in self.inside:
            search.close()

    def own(self, place: int, trials: Sequence[Trial]) -> list[Trial]:
        """Those of the trials that this search knew or asked."""
        return [trial for trial in trials if trial.kind != "search" or trial.coefficients in self._own[place]]
