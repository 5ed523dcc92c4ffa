"""One run a merge, as values: what it is called, what made it, its trials, its numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.report.heads import as_study
from dfwe.report.names import name_of
from dfwe.report.run_folder import Run
from dfwe.report.trials import SearchTrial
from dfwe.report.written import written

TRIAL = "trial"
LONGEST = 128  # letters of a group that the server takes


@dataclass(frozen=True)
class MergeRun:
    """A merge of a study; `history` has a row a trial, scores are fractions in [0, 1]."""

    run_id: str
    name: str  # its key
    title: str  # what people read
    group: str
    config: Mapping[str, Any]
    history: tuple[Mapping[str, float | int], ...]
    summary: Mapping[str, float | int]


def merge_runs(
    results: Mapping[str, Any], *, folder: Path, described: Mapping[str, Mapping[str, Any]]
) -> tuple[MergeRun, ...]:
    """The merges of a study's results, of heads, too; `described` says by name with what rule and search each was made.

    The id is a digest of the stage that made the merge, its name and the target: the same command gives the same ids.
    """
    run, results = Run(folder, results), as_study(results)
    group = group_of(results["target"], sources=results["sources"], model=results["model"])
    return tuple(
        MergeRun(
            run_id=_digest(row["stage"], row["name"], results["target"]),
            name=row["name"],
            title=name_of(row),
            group=group,
            config={**_origin(results), "merge": name_of(row), **described.get(row["name"], {}), **_made_of(row)},
            history=tuple(_history(run.trials(row["name"]))),
            summary=_summary(row),
        )
        for row in results["models"]
        if row["kind"] == "merge"
    )


def group_of(target: str, *, sources: Sequence[str], model: str) -> str:
    """`target | sources | model`; where that is longer than a server takes its end is a digest."""
    group = " | ".join((target, ", ".join(sources), model.removeprefix("parent ")))
    return group if len(group) <= LONGEST else f"{group[: LONGEST - 9]} {_digest(group)[:8]}"


def table(results: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """The study's final table: columns, and a row a model."""
    columns = ["model", "kind", "dev", "test", "low", "high", "delta", "delta_low", "delta_high", "p", "evaluations"]
    return columns, [_table_row(row) for row in as_study(results)["models"]]


def _table_row(row: Mapping[str, Any]) -> list[Any]:
    test = row.get("test", {})
    interval, delta = test.get("interval") or (None, None), row.get("delta_interval") or (None, None)
    scores = [row.get("dev", {}).get("score"), test.get("score"), *interval]
    return [name_of(row), row["kind"], *scores, row.get("delta"), *delta, row.get("p"), row.get("evaluations")]


def _origin(results: Mapping[str, Any]) -> dict[str, Any]:
    """What all merges of a study share; sources are one text, which W&B can group by."""
    same = {
        key: results[key] for key in ("target", "seed", "decode", "precision", "parent", "command") if key in results
    }
    return {**same, "sources": ", ".join(results["sources"]), "model": results["model"].removeprefix("parent ")}


def _made_of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"stage": row["stage"], "picked": row["picked"], "alpha": written(row["coefficients"])}


def _summary(row: Mapping[str, Any]) -> dict[str, float | int]:
    """The numbers that merges are compared by; what is undefined is left out."""
    test, ends = row.get("test", {}), row.get("delta_interval") or (None, None)
    found = {
        "dev": row["dev"]["score"],
        "test": test.get("score"),
        "delta": row.get("delta"),
        "delta_low": ends[0],
        "delta_high": ends[1],
        "p": row.get("p"),
        "optimism": row.get("optimism"),
        "evaluations": row["evaluations"],
        "seconds": row["seconds"],
    }
    found |= {f"delta_to/{other}": each["delta"] for other, each in row.get("against", {}).items()}
    found |= {
        f"{what}/{task}": value for what in ("test", "delta") for task, value in row.get(f"{what}_of", {}).items()
    }
    found |= {f"alpha/{expert}": value for expert, value in row["coefficients"].items()}
    return {key: value for key, value in found.items() if value is not None}


def _history(trials: Sequence[SearchTrial]) -> Iterator[Mapping[str, float | int]]:
    """A row a trial, in order; one that was stopped has a bound in place of a score."""
    best: float | None = None
    for trial in trials:
        if trial.score is not None:
            best = trial.score if best is None else max(best, trial.score)
        told = {"score": trial.score, "bound": trial.bound, "seconds": trial.seconds, "best": best}
        alphas = {f"alpha/{expert}": value for expert, value in trial.coefficients.items()}
        yield {TRIAL: trial.number, **{key: value for key, value in told.items() if value is not None}, **alphas}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
