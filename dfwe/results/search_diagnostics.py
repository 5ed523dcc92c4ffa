"""Diagnose searches by their journals."""

from __future__ import annotations

from typing import Any

from dfwe.report.trials import read_trials
from dfwe.stages.merge import TRIALS
from dfwe.store.store import Entry

_SAME = 12  # decimals: scores that agree in so many are one, summed in another order


def search_diagnostics(entry: Entry) -> dict[str, Any]:
    """Return how many candidates a merge's search evaluated (stopped ones count), and how many different scores.

    `plateau` is the longest run of evaluations without a new best; `repeats` are points that were asked again and cost
    nothing, `diameters` those of the simplex before each iteration, in logits, if the search has one.
    """
    searched = [trial for trial in read_trials(entry.file(TRIALS)) if trial.kind in ("uniform", "search")]
    best, since, plateau = float("-inf"), 0, 0
    for trial in searched:
        score = float("-inf") if trial.score is None else trial.score
        since = 0 if score > best else since + 1
        best, plateau = max(best, score), max(plateau, since)
    scores = {round(trial.score, _SAME) for trial in searched if trial.score is not None}
    record = entry.card.result.get("search", {})  # which older stores lack
    return {"evaluated": len(searched), "distinct_scores": len(scores), "plateau": plateau, **record}
