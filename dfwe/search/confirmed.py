"""What the dev examples that a search did not see make of what it found."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Trial, TrialKind
from dfwe.search.partial_search import PartialSearch
from dfwe.search.pick import Choosing, Pick

log = logging.getLogger(__name__)

UNSHRUNK, TO_START = 0.0, 1.0  # amounts


@dataclass(frozen=True)
class Confirmation:
    """What the examples say that a search did not see.

    `score` is that of what was kept, shrunk so far to the start; `expert` that of the expert which is the best on what
    the search saw, None where no expert's trial is known.
    """

    examples: int
    score: float
    unshrunk: float
    shrunk: float
    start: float
    expert: float | None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


class ConfirmedPick(Pick):
    """A pick on what each search saw, and what the rest of dev makes of it.

    Of several searches it is the mean of what they picked; what most picked, where the mean of coefficients is not the
    mean of models.

    Then it is moved towards the start (the uniform merge) by each of the shares `shrink`, and the point that scores
    best on what the searches did not see is kept; the unshrunk one unless another scores more (James and Stein 1961
    shrink means; here examples say how far). Not in the DFWE paper.

    Raises:
        SearchError: a share is not in (0, 1].
    """

    def __init__(self, pick: Pick, *, search: PartialSearch, shrink: Sequence[float]) -> None:
        check_shrink(shrink)
        self._pick, self._search = pick, search
        self._amounts = (UNSHRUNK, *sorted(set(shrink)))
        self.confirmation: Confirmation | None = None

    @property
    def compares_only(self) -> bool:
        """No: every trial is scored on parts of dev."""
        return False

    def choose(self, trials: Sequence[Trial], *, by: Choosing) -> Trial:
        """The trial; `confirmation` then says what confirmed it. Errors as of the pick inside."""
        picked = [self._picked(place, trials, by=by) for place in range(len(self._search.parts))]
        start = next((trial for trial in trials if trial.kind == "uniform"), picked[0])
        made = _Points([*trials, *picked], start=start, by=by)
        moved = {amount: [made.towards_start(trial, amount) for trial in picked] for amount in self._amounts}
        scores = {amount: self._score(each, by=by) for amount, each in moved.items()}
        amount = max(self._amounts, key=lambda each: (scores[each], -each))
        self.confirmation = Confirmation(
            sum(int(part.rest.rows.sum()) for part in self._search.parts),
            score=scores[amount],
            unshrunk=scores[UNSHRUNK],
            shrunk=amount,
            start=self._score([start] * len(picked), by=by),
            expert=self._expert(trials, by=by),
        )
        _tell(self.confirmation)
        return made.together(moved[amount])

    def _picked(self, place: int, trials: Sequence[Trial], *, by: Choosing) -> Trial:
        """What the pick takes of the search's own trials, as it saw them; with its scores on all of dev."""
        part = self._search.parts[place]
        whole: dict[Trial, Trial] = {}

        def seen(trial: Trial) -> Trial:
            view = part.of(trial)
            whole[view] = trial
            return view

        own = [seen(trial) for trial in self._search.own(place, trials)]
        found = self._search.inside[place].found
        return whole[self._pick.choose(own, by=replace(by, make=lambda *asked: seen(by.make(*asked)), found=found))]

    def _expert(self, trials: Sequence[Trial], *, by: Choosing) -> float | None:
        """The score of the expert that is the best of what each search saw."""
        experts = [trial for trial in trials if trial.kind == "expert"]
        if not experts:
            return None
        best = [max(experts, key=lambda each: part.of(each).evaluation.score) for part in self._search.parts]
        return self._score(best, by=by)

    def _score(self, each: Sequence[Trial], *, by: Choosing) -> float:
        """Of the searches' trials, each on the examples that its search did not see."""
        rest = [part.rest.counts(trial).sum(axis=0) for part, trial in zip(self._search.parts, each, strict=True)]
        return float(by.score(np.sum(rest, axis=0)))


class _Points:
    """Trials at given coefficients: those that there are, or new ones."""

    def __init__(self, known: Sequence[Trial], *, start: Trial, by: Choosing) -> None:
        self._known, self._start, self._by = list(known), start, by

    def towards_start(self, trial: Trial, amount: float) -> Trial:
        """The trial moved by that share of the way; itself where its coefficients are not what made its model."""
        if amount == UNSHRUNK or (trial.kind == "expert" and not self._by.averages):
            return trial
        if amount == TO_START:
            return self._start
        begin, end = (each.coefficients.as_array() for each in (trial, self._start))
        return self._at(begin + amount * (end - begin), kind="shrunk")

    def together(self, each: Sequence[Trial]) -> Trial:
        """The one, their mean, or the most frequent of them (of equals the first)."""
        if len(each) == 1:
            return each[0]
        if self._by.averages:
            return self._at(np.mean([trial.coefficients.values for trial in each], axis=0), kind="bagged")
        frequent, _ = Counter(trial.coefficients for trial in each).most_common(1)[0]
        return next(trial for trial in each if trial.coefficients == frequent)

    def _at(self, values: Float[np.ndarray, " values"], *, kind: TrialKind) -> Trial:
        point = Coefficients(self._start.coefficients.names, tuple(values.tolist()))
        found = next((trial for trial in self._known if trial.coefficients == point), None)
        if found is None:
            found = self._by.make(point, kind)
            self._known.append(found)
        return found


def check_shrink(shrink: Sequence[float]) -> None:
    """Raises SearchError unless all of them are shares of the way, above 0."""
    for amount in shrink:
        if not 0.0 < amount <= TO_START:
            raise SearchError(f"merge.search.shrink has shares of the way to the uniform merge in (0, 1], not {amount}")


def _tell(found: Confirmation) -> None:
    if found.shrunk:
        log.info(
            "shrunk by %.2f to the uniform merge: %.4f on the %d dev examples that were not seen, unshrunk %.4f",
            found.shrunk,
            found.score,
            found.examples,
            found.unshrunk,
        )
    others = {"the uniform merge": found.start, "the best expert": found.expert}
    for name, score in others.items():
        if score is not None and score > found.score:
            log.warning(
                "what the search found scores %.4f on the %d dev examples that it did not see, %s %.4f",
                found.score,
                found.examples,
                name,
                score,
            )
