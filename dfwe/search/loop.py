"""The search itself: ask, evaluate, tell, until the evaluations are spent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, StoppedTrial, Trial
from dfwe.search.base import Hearing, Search
from dfwe.search.journal import Journal
from dfwe.search.limits import Limits
from dfwe.search.measure import Listener, Measure, Race, Together, check_score, one_after_another
from dfwe.search.space import Space

log = logging.getLogger(__name__)

_ASKS_PER_EVALUATION = 10  # a search that asks this often without anything new goes round in circles
_LEAST_MOVE = 0.01  # less than this in every coefficient, and the candidates are one model


def run_search(
    search: Search,
    *,
    space: Space,
    evaluate: Callable[[Coefficients], Evaluation],
    known: Sequence[Trial],
    journal: Journal | None,
    budget: int,
    on_trial: Listener | None = None,
    race: Race | None = None,
    limits: Limits | None = None,
    together: Together = one_after_another,
    on_repeats: Callable[[int], None] | None = None,
) -> tuple[Trial | StoppedTrial, ...]:
    """The known trials (the experts' own), then all evaluated ones, in order.

    `theta* = argmax_A m_t(theta(A))` of the DFWE paper (section 4.4, equation 2), with "40 iterations" read
    as 40 evaluations. Evaluated trials are numbered from 1. The start (the uniform merge) is the first and one of the
    budget. A candidate whose coefficients have a trial already, the experts' vertices among them, is told
    that score and costs nothing (the vertices only if they are the space's, `Space.vertices`: a rule such as TIES makes
    another model of them). Trials in the journal are replayed without evaluation. The caller closes the search.

    With `race`, and a search that needs comparisons alone, a candidate is evaluated against the best before it and
    may be stopped once it cannot score as much; the search is then told the bound. The uniform merge, which
    others are compared with, is always evaluated in full. The best is the one found without.

    A search that takes several asks at once is asked that often, its points are evaluated by `together`, raced against
    the best before all of them, and all are told: the trials are the same wherever they are evaluated. None is taken
    once a limit is reached. `on_repeats` hears how many of the points asked at once cost nothing.

    Raises:
        SearchError: the journal belongs to another search, a score is not a number, the budget is below 1, or
            the known trials are of other experts.
    """
    _check(space, known=known, budget=budget)
    race = race if search.compares_only else None
    measure = Measure(evaluate, journal, on_trial, race, together)
    found: dict[Coefficients, Trial | StoppedTrial] = {}
    found |= {trial.coefficients: trial for trial in known} if space.vertices else {}
    made: list[Trial | StoppedTrial] = []
    if space.start not in found:
        made.append(measure.trial(space.start, number=1, kind="uniform"))
        found[space.start] = made[0]
    search.begin([trial for trial in (*known, *made) if isinstance(trial, Trial)])
    num_asked, reached = 0, None
    while num_asked < _ASKS_PER_EVALUATION * budget and reached is None:
        points = _asked(search, num=min(search.asks, budget - len(made)))
        num_asked += len(points)
        if not points:
            break
        new = [each for each in dict.fromkeys(map(space.at, points)) if each not in found]
        if on_repeats is not None:
            on_repeats(len(points) - len(new))
        best = _best((*known, *made)) if race else None
        trials = measure.trials(new, number=len(made) + 1, kind="search", best=best)
        for coefficients in new:
            reached = limits.reached(made) if limits else None
            if reached is not None:
                break
            made.append(next(trials))
            found[coefficients] = made[-1]
            _let_hear(search, made[-1])
        else:
            for point in points:
                search.tell(point, loss=_loss(found[space.at(point)]))
    _tell_of_end(made, budget=budget, reached=reached)
    _warn_of_standstill(made, start=space.start)
    return (*known, *made)


def _asked(search: Search, *, num: int) -> list[Float[np.ndarray, " dimensions"]]:
    """The next points, fewer where the search has no more."""
    points: list[Float[np.ndarray, " dimensions"]] = []
    while len(points) < num and (point := search.ask()) is not None:
        points.append(point)
    return points


def _let_hear(search: Search, trial: Trial | StoppedTrial) -> None:
    if isinstance(search, Hearing) and isinstance(trial, Trial):
        search.hear(trial)


def _check(space: Space, *, known: Sequence[Trial], budget: int) -> None:
    if budget < 1:
        raise SearchError(
            f"a search needs at least 1 evaluation, for the uniform merge: merge.search.budget is {budget}"
        )
    for trial in known:
        if trial.coefficients.names != space.names:
            raise SearchError(
                f"the search is over {space.names}, but trial {trial.number} ({trial.kind}) is over "
                f"{trial.coefficients.names}: pass the experts' trials in the order of their names"
            )
        check_score(trial)


def _best(before: Sequence[Trial | StoppedTrial]) -> Evaluation:
    scored = [trial.evaluation for trial in before if isinstance(trial, Trial)]
    return max(scored, key=lambda evaluation: evaluation.score)  # the first of equals


def _loss(trial: Trial | StoppedTrial) -> float:
    return -(trial.evaluation.score if isinstance(trial, Trial) else trial.evaluation.bound)


def _tell_of_end(made: Sequence[Trial | StoppedTrial], *, budget: int, reached: str | None) -> None:
    """Say why the search ended before its evaluations were spent."""
    if reached is not None:
        log.info("the search has had its %s after %d of %d evaluations", reached, len(made), budget)
    elif len(made) < budget:
        log.warning(
            "the search stopped after %d of %d evaluations: it has converged, or has nothing new to ask",
            len(made),
            budget,
        )


def _warn_of_standstill(made: Sequence[Trial | StoppedTrial], *, start: Coefficients) -> None:
    """Say it where the search has not searched, and why."""
    if len(made) < 2:
        return
    moves = np.abs(np.array([trial.coefficients.values for trial in made]) - start.as_array())
    if moves.max() <= _LEAST_MOVE:
        log.warning(
            "the search did not search: no coefficient moved by more than %.1g from the uniform merge; "
            "take larger steps or another optimizer",
            moves.max(),
        )
    scores = {trial.evaluation.score for trial in made if isinstance(trial, Trial)}
    if len(scores) == 1 and all(isinstance(trial, Trial) for trial in made):
        log.warning(
            "the search had nothing to go by: all %d evaluated mixtures score %.4f on dev; "
            "the dev split may be too small, or the experts alike",
            len(made),
            scores.pop(),
        )
