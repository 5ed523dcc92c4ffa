"""What a search found, as JSON."""

from __future__ import annotations

from typing import Any

from dfwe.records import StoppedTrial, Trial

AFTER = ("bagged", "shrunk")  # kinds of trials that picks make, when the search is over


def search_result(best: Trial, *, trials: tuple[Trial, ...], stopped: tuple[StoppedTrial, ...]) -> dict[str, Any]:
    """What a merge's card says of its search."""
    every: list[Trial | StoppedTrial] = [*trials, *stopped]
    made = [trial for trial in every if trial.kind != "expert"]
    return {
        "picked": best.kind,
        "trial": best.number,
        "coefficients": best.coefficients.as_dict(),
        "dev": best.evaluation.scores,
        "evaluations": len(made),
        "search_evaluations": sum(trial.kind not in AFTER for trial in made),
        "stopped_evaluations": len(stopped),
        "dev_answers": sum(_num_answers(trial) for trial in made),
    }


def _num_answers(trial: Trial | StoppedTrial) -> int:
    return len([answer for answer in trial.evaluation.predictions if answer is not None])
