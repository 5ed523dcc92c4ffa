"""The search loop: ask, evaluate, tell, until the budget or a limit is reached."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.base import AnyTrial, Search, SearchLimits
from dfwe.search.space import Space
from dfwe.search.trial_runner import TrialRunner, check_score

log = logging.getLogger(__name__)

_ASKS_PER_EVALUATION = 10  # a search that asks this often without a new point moves in circles
_LEAST_MOVE = 0.01  # less than this in every coefficient, and the candidates are one model


def run_search(
    search: Search,
    *,
    space: Space,
    runner: TrialRunner,
    initial_trials: Sequence[Trial],
    budget: int,
    limits: SearchLimits | None = None,
    on_repeats: Callable[[int], None] | None = None,
) -> tuple[AnyTrial, ...]:
    """Return the initial trials (the experts' own), then all evaluated ones, in order.

    `theta* = argmax_A m_t(theta(A))` of the DFWE paper (section 4.4, equation 2), with "40 iterations" read
    as 40 evaluations. Evaluated trials are numbered from 1. The start (the uniform merge) is the first and part of the
    budget. A candidate whose coefficients have a trial already, the experts' vertices among them, costs nothing: the
    search is told that score. Vertices have one only in spaces with `Space.vertices`, as a method such as TIES makes
    another model of them. Trials in the journal are replayed without evaluation. The caller closes the search.

    If the runner and the search can prune, a candidate is evaluated against the best mixture before it and may be
    stopped once it cannot score as much; the search is then told the bound. The best mixture, which is reported even
    where an expert beats it, is the one found without pruning. The uniform merge is always evaluated in full.

    A search with batches is asked for several points, pruned against the best before all of them, and told all losses:
    the trials are the same wherever they are evaluated. `on_repeats` is called with the number of points in each batch
    that cost nothing.

    Raises:
        SearchError: the journal belongs to another search, a score is not a number, the budget is below 1, or
            the initial trials are of other experts.
    """
    _check(space, initial_trials=initial_trials, budget=budget)
    prunes = search.supports_pruning and runner.evaluate_pruned is not None
    results: dict[Coefficients, AnyTrial] = {}
    results |= {trial.coefficients: trial for trial in initial_trials} if space.vertices else {}
    trials: list[AnyTrial] = []
    if space.start not in results:
        trials.append(runner.run(space.start, number=1, kind="uniform"))
        results[space.start] = trials[0]
    search.initialize([trial for trial in (*initial_trials, *trials) if isinstance(trial, Trial)])
    num_points, limit = 0, None
    while num_points < _ASKS_PER_EVALUATION * budget and limit is None:
        points = _ask(search, num=min(search.batch_size, budget - len(trials)))
        num_points += len(points)
        if not points:
            break
        new = [candidate for candidate in dict.fromkeys(map(space.at, points)) if candidate not in results]
        if on_repeats is not None:
            on_repeats(len(points) - len(new))
        best = _best(trials) if prunes and trials else None
        batch = runner.run_batch(new, number=len(trials) + 1, kind="search", best=best)
        for coefficients in new:
            limit = limits.find_reached(trials) if limits else None
            if limit is not None:
                break
            trials.append(next(batch))
            results[coefficients] = trials[-1]
            if isinstance(trials[-1], Trial):
                search.observe(trials[-1])
        else:
            for point in points:
                search.tell(point, loss=_loss(results[space.at(point)]))
    _log_end(trials, budget=budget, limit=limit)
    _warn_of_standstill(trials, start=space.start)
    return (*initial_trials, *trials)


def _ask(search: Search, *, num: int) -> list[Float[np.ndarray, " dimensions"]]:
    """Ask for the next points, fewer if the search has no more."""
    points: list[Float[np.ndarray, " dimensions"]] = []
    while len(points) < num and (point := search.ask()) is not None:
        points.append(point)
    return points


def _check(space: Space, *, initial_trials: Sequence[Trial], budget: int) -> None:
    if budget < 1:
        raise SearchError(
            f"a search needs at least 1 evaluation, for the uniform merge: merge.search.budget is {budget}"
        )
    for trial in initial_trials:
        if trial.coefficients.names != space.names:
            raise SearchError(
                f"the search is over {space.names}, but trial {trial.number} ({trial.kind}) is over "
                f"{trial.coefficients.names}: pass the experts' trials in the order of their names"
            )
        check_score(trial)


def _best(trials: Sequence[AnyTrial]) -> Evaluation:
    evaluations = [trial.evaluation for trial in trials if isinstance(trial, Trial)]
    return max(evaluations, key=lambda evaluation: evaluation.score)  # the first of equals


def _loss(trial: AnyTrial) -> float:
    return -(trial.evaluation.score if isinstance(trial, Trial) else trial.evaluation.bound)


def _log_end(trials: Sequence[AnyTrial], *, budget: int, limit: str | None) -> None:
    """Log why the search ended before its budget was spent."""
    if limit is not None:
        log.info("the search has reached its limit of %s after %d of %d evaluations", limit, len(trials), budget)
    elif len(trials) < budget:
        message = "the search stopped after %d of %d evaluations: it has converged, or has no new point to ask for"
        log.warning(message, len(trials), budget)


def _warn_of_standstill(trials: Sequence[AnyTrial], *, start: Coefficients) -> None:
    """Warn of a search without progress, and give the reason."""
    if len(trials) < 2:
        return
    moves = np.abs(np.array([trial.coefficients.values for trial in trials]) - start.as_array())
    if moves.max() <= _LEAST_MOVE:
        log.warning(
            "the search made no progress: no coefficient moved by more than %.1g from the uniform merge; "
            "set larger steps or another optimizer",
            moves.max(),
        )
    scores = {trial.evaluation.score for trial in trials if isinstance(trial, Trial)}
    if len(scores) == 1 and all(isinstance(trial, Trial) for trial in trials):
        log.warning(
            "the search cannot rank candidates: all %d evaluated mixtures score %.4f on dev; "
            "the dev split may be too small, or the experts too similar",
            len(trials),
            scores.pop(),
        )
