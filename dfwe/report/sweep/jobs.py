"""The jobs of a sweep, read back from their results."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from dfwe.data.friends.official import OFFICIAL_TEST
from dfwe.errors import DataError
from dfwe.report.multitask_differences import of_mean, only_ablation
from dfwe.report.study_folder import RESULTS, read_json
from dfwe.report.sweep.published import MODEL, SHOTS

# results say it themselves, or it changes no score
_KNOWN_OTHERWISE = (
    *("seed=", "target=", "sources=", "subset.", "sweep=", "merge="),
    *("paths.", "logger", "report=", "export=", "executor", "hydra", "controls=", "probes=", "agreement="),
)


@dataclass(frozen=True)
class JobResult:
    """What a job's headline says, scores as fractions in [0, 1]; `stage` names the merge in the store."""

    target: str
    sources: tuple[str, ...]
    merge: str
    seed: int
    stage: str
    dev: float
    test: float
    baseline: float
    departures: tuple[str, ...]  # from what the published numbers are of
    p: float | None = None  # of the difference to the baseline; none in results of an earlier dfwe
    expert: str | None = None  # that the merge kept as it is
    mixture: tuple[float, float] | None = None  # dev and test of its best mixture, where that is not what it kept
    budget: int | None = None  # of its search
    settings: tuple[str, ...] = ()  # what the command said beside target, sources and seed, if it can change a score

    def __post_init__(self) -> None:
        texts, numbers = (self.target, *self.sources, self.merge, self.stage), (self.dev, self.test, self.baseline)
        if not all(isinstance(text, str) for text in texts):
            raise DataError(f"target, sources, merge and stage of a result must be texts, not {texts}")
        if not all(isinstance(number, int | float) for number in (self.seed, *numbers, self.p or 0.0)):
            raise DataError(f"seed and scores of a result must be numbers, not {(self.seed, *numbers)}")

    @property
    def delta(self) -> float:
        """To the baseline, on test."""
        return self.test - self.baseline

    @property
    def mixture_dev(self) -> float:
        """Its best mixture's, experts apart."""
        return self.dev if self.mixture is None else self.mixture[0]

    @property
    def mixture_test(self) -> float:
        """Its best mixture's, experts apart."""
        return self.test if self.mixture is None else self.mixture[1]


@dataclass(frozen=True)
class Sweep:
    """Jobs that differ: two that gave the very same merge count once. `left_out` says why others do not count.

    `jobs` are of the merges that were asked for, `merges` of all that were made (of text-to-text models).
    """

    jobs: tuple[JobResult, ...]
    left_out: tuple[str, ...]
    merges: tuple[JobResult, ...] = ()


def read_sweep(folder: Path) -> Sweep:
    """The finished jobs below a sweep's folder, multirun/<date>/<time>.

    Raises:
        DataError: no results there, or results that cannot be read.
    """
    files = sorted(folder.rglob(RESULTS), key=lambda path: [natural_order(part) for part in path.parts])
    if not files:
        raise DataError(f"{folder} holds no {RESULTS}: expected the folder of a sweep, multirun/<date>/<time>")
    jobs: dict[tuple[str, str], JobResult] = {}
    merges: dict[tuple[str, str], JobResult] = {}
    left_out, broken = [], []
    for path in files:
        try:
            results = read_json(path, missing=f"{path} is gone")
            found, made = _jobs(results), list(merges_of(results))
        except (DataError, KeyError, TypeError, AttributeError, ValueError) as error:
            broken.append(f"{path} cannot be read ({error!r}): run the job again")
            continue
        if not found:
            left_out.append(f"{path.parent.relative_to(folder)}: no merge was scored against a baseline on test")
        for job in found:
            jobs.setdefault((job.target, job.stage), job)
        for job in made:
            merges.setdefault((job.target, job.stage), job)
    if len(broken) == len(files):
        raise DataError(broken[0])
    return Sweep(tuple(jobs.values()), (*left_out, *broken), tuple(merges.values()))


def merges_of(results: Mapping[str, Any]) -> Iterator[JobResult]:
    """Every merge of a study of text-to-text models that was scored on test beside a baseline."""
    for row in results.get("models", ()):
        job = job_of(results, name=row["name"]) if row.get("kind") == "merge" else None
        if job is not None:
            yield job


def by_sources(jobs: Iterable[JobResult]) -> dict[tuple[str, ...], list[JobResult]]:
    """Jobs by what they took as sources, whatever the order."""
    return _by(jobs, lambda job: tuple(sorted(job.sources)))


def best_sources(jobs: Iterable[JobResult]) -> list[JobResult]:
    """The jobs of the sources with the best mean dev score: test scores choose nothing."""
    return max(by_sources(jobs).values(), key=lambda each: mean_of(each, "dev"))


def mean_of(jobs: Sequence[JobResult], what: str) -> float:
    """The mean over jobs of `dev`, `test`, `baseline` or `delta`."""
    return fmean(getattr(job, what) for job in jobs)


def groups(jobs: Iterable[JobResult]) -> Iterator[tuple[str, dict[str, list[JobResult]]]]:
    """By the merge that was asked for, then by target."""
    for merge, of_merge in _by(jobs, lambda job: job.merge).items():
        yield merge, _by(of_merge, lambda job: job.target)


def job_of(results: Mapping[str, Any], *, name: str | None) -> JobResult | None:
    """What a merge of that name scored; None where it or the baseline has no score on test."""
    rows = {row["name"]: row for row in results["models"]} if "models" in results else {}
    head = rows.get(name)
    if head is None or "baseline" not in rows or "test" not in head or "test" not in rows["baseline"]:
        return None
    scores = (head["dev"]["score"], head["test"]["score"], rows["baseline"]["test"]["score"])
    if None in scores:
        return None
    dev, test, baseline = scores
    return JobResult(
        results["target"],
        tuple(results["sources"]),
        head["name"],
        results["seed"],
        head.get("stage", head["name"]),
        dev,
        test,
        baseline,
        tuple(_departures(results)),
        head.get("p"),
        head.get("is_expert"),
        _mixture(head),
        head.get("budget"),
        settings_of(results.get("command", "")),
    )


def _mixture(row: Mapping[str, Any]) -> tuple[float, float] | None:
    """Dev and test of a merge's best mixture, where it kept an expert instead."""
    found = row.get("mixture") or {}
    if not row.get("is_expert") or found.get("dev") is None or found.get("test") is None:
        return None
    return float(found["dev"]), float(found["test"])


def settings_of(command: str) -> tuple[str, ...]:
    """The overrides of a study's command that can change a score, sorted, without target, sources and seed."""
    words = [word for word in shlex.split(command) if "=" in word]
    return tuple(sorted(word for word in words if not word.lstrip("+~").startswith(_KNOWN_OTHERWISE)))


def jobs_of_heads(results: Mapping[str, Any]) -> dict[str, JobResult]:
    """By name every model and merge with heads that is compared with the single-task models.

    Merges of some of the candidates are left out: their numbers name other models where another seed chose others.
    """
    passed = only_ablation(results)
    return {
        row["name"]: _of_heads(results, row) for row in results["rows"] if of_mean(row) and row["name"] not in passed
    }


def _jobs(results: Mapping[str, Any]) -> list[JobResult]:
    """The headline's; of models with heads all."""
    if results.get("kind") == "multitask":
        return list(jobs_of_heads(results).values())
    found = job_of(results, name=results.get("headline", {}).get("name"))
    return [] if found is None else [found]


def _of_heads(results: Mapping[str, Any], row: Mapping[str, Any]) -> JobResult:
    """Scores are the means of the tasks, the baseline is the single-task models', each on its own task."""
    test = row["test"]["mean"]
    return JobResult(
        ", ".join(results["columns"]),
        tuple(results["n"]),
        row["title"],
        results["seed"],
        row["stage"],
        row["dev"]["mean"] or 0.0,  # undefined: no better than none
        test,
        test - of_mean(row)["delta"],
        (),
        of_mean(row)["p"],
        row.get("is_expert"),
        settings=settings_of(results.get("command", "")),
    )


def _by(jobs: Iterable[JobResult], key: Any) -> dict[Any, list[JobResult]]:
    found: dict[Any, list[JobResult]] = defaultdict(list)
    for job in jobs:
        found[key(job)].append(job)
    return dict(found)


def _departures(results: Mapping[str, Any]) -> Iterator[str]:
    target, model, num = results["target"], results.get("model", "another model"), results["n"]["test"]
    if model != MODEL:
        yield f"{model} instead of Flan-T5-base"
    if target in OFFICIAL_TEST and num != OFFICIAL_TEST[target]:
        yield "other data than the official set"
    if any(data["shots"] != SHOTS for data in results["data"]["tasks"].values()):
        yield "not the few-shot tenth of train and dev"


def natural_order(name: str) -> list[str | int]:
    """Job 10 after job 9, and seed-10 after seed-9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]
