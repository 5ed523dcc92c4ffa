"""Read what each merge and baseline of each run scored beside its reference, and group these results: jobs."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from dfwe.data.friends.tasks import OFFICIAL_TEST
from dfwe.errors import DataError
from dfwe.report.names import name_of
from dfwe.report.run_folder import Run
from dfwe.report.study_results import Record, StudyResults
from dfwe.values.names import BASELINE
from dfwe.values.overrides import CHANGE_NO_RESULT

MODEL = "parent flan_t5_base"  # of the published numbers, as results name it
SHOTS = 0.1  # of train and dev: FETA-Friends' few-shot part
_NOT_SETTINGS = (
    *("seed=", "target=", "sources=", "subset.", "source_subset.", "sweep=", "merge="),  # results have it elsewhere
    *("data.root=", "data.files="),  # a place: the corpus's digest tells what is there
    *("diagnostics=", "baselines=", "decoding_comparison="),  # changes no score
    "trainer.threads=",  # which order sums alone
    *CHANGE_NO_RESULT,
)


@dataclass(frozen=True)
class JobResult:
    """Hold what a model of a run scored beside its baseline, fractions in [0, 1]; `stage` names it in the store."""

    target: str
    sources: tuple[str, ...]
    merge: str
    seed: int
    stage: str
    dev: float  # 0 where it is undefined: not better than none
    test: float
    baseline: float
    departures: tuple[str, ...] = ()  # from the setting of the published numbers
    p: float | None = None  # of the difference to the baseline
    expert: str | None = None  # the merge is this expert as it is
    mixture: tuple[float, float] | None = None  # dev and test of its best mixture, where that is another model
    budget: int | None = None  # of its search
    settings: tuple[str, ...] = ()  # the command's other settings that can change a score
    is_headline: bool = False
    reference: str = "the baseline"
    row: Record = field(default_factory=dict, compare=False)
    baseline_interval: Sequence[float] | None = None
    path: Path = Path()
    short: str = ""  # name of the target
    tasks: tuple[str, ...] = ()  # whose mean is the score, of several
    num_train: int | None = None  # of the target's examples
    connectedness: Record = field(default_factory=dict, compare=False)
    differences: Mapping[str, Record] = field(default_factory=dict, compare=False)  # to other models, by their names

    def __post_init__(self) -> None:
        texts, numbers = (self.target, *self.sources, self.merge, self.stage), (self.dev, self.test, self.baseline)
        if not all(isinstance(text, str) for text in texts):
            raise DataError(f"target, sources, merge and stage of a result must be texts, not {texts}")
        if not all(isinstance(number, int | float) for number in (self.seed, *numbers, self.p or 0.0)):
            raise DataError(f"seed and scores of a result must be numbers, not {(self.seed, *numbers)}")

    @property
    def delta(self) -> float:
        """Difference to the baseline on test."""
        return self.test - self.baseline

    @property
    def is_dev_defined(self) -> bool:
        """False where the dev score stands for one that is undefined."""
        return not self.row or self.row["dev"]["score"] is not None

    @property
    def mixture_dev(self) -> float:
        """Dev score of its best mixture, experts apart."""
        return self.dev if self.mixture is None else self.mixture[0]

    @property
    def mixture_test(self) -> float:
        """Test score of its best mixture, experts apart."""
        return self.test if self.mixture is None else self.mixture[1]

    @property
    def kind(self) -> str:
        """Kind of its row: merge, baseline, or of several tasks model."""
        return str(self.row.get("kind", "merge"))

    @property
    def is_of_sweep(self) -> bool:
        """True for headlines, and of several tasks for all models: what a sweep is about."""
        return self.is_headline or self.reference != "the baseline"

    @property
    def title(self) -> str:
        """Name of the model for people."""
        return name_of(self.row) if self.row else self.merge


Group = Sequence[JobResult]


def jobs_of(run: Run) -> list[JobResult]:
    """Return all models of a run that were scored on test beside its reference.

    The headline is the merge that was asked for; of several tasks the model to ship.
    """
    return [job_of(run, row) for row in run.results.compared()]


def job_of(run: Run, row: Record) -> JobResult:
    """Return the job of a row that has a `reference_score`, what it is compared with."""
    results = run.results
    headline = results.headline.get("name") or (results.recommended.get("name") if results.tasks else None)
    is_headline = row["name"] == headline
    baseline = results.row(BASELINE) or {}
    return JobResult(
        target=results.target,
        sources=results.sources,
        merge=row.get("title") or row["name"],
        seed=results.seed,
        stage=row.get("stage", row["name"]),
        dev=row["dev"]["score"] or 0.0,
        test=row["test"]["score"],
        baseline=row["reference_score"],
        departures=tuple(_departures(results)),
        p=row.get("p"),
        expert=row.get("is_expert"),
        mixture=_mixture(row),
        budget=row.get("budget"),
        settings=settings_of_run(run),
        is_headline=is_headline,
        reference=results.reference,
        row=row,
        baseline_interval=baseline.get("test", {}).get("interval"),
        path=run.path,
        short=results.target if results.tasks else next(iter(results.data), results.target),
        tasks=results.tasks,
        num_train=results.raw.get("n", {}).get("train"),
        connectedness=results.raw.get("connectedness") or {},
        differences=_differences(row, headline=(results.headline or results.recommended) if is_headline else {}),
    )


def distinct(jobs: Iterable[JobResult]) -> list[JobResult]:
    """Return the jobs without those that gave the very same merge."""
    first: dict[tuple[str, str], JobResult] = {}
    for job in jobs:
        first.setdefault((job.target, job.stage), job)
    return list(first.values())


def of_sweep(jobs: Iterable[JobResult]) -> list[JobResult]:
    """Return the jobs that a sweep is about: the headlines, and of several tasks all; equal merges count once."""
    return distinct(job for job in jobs if job.is_of_sweep)


def settings_of(command: str) -> tuple[str, ...]:
    """Return the overrides of a command that can change a score, sorted, without target, sources and seed."""
    words = [word.replace("\\ ", " ") for word in shlex.split(command) if "=" in word]  # Hydra's sweeper escapes blanks
    return tuple(sorted(word for word in words if not word.lstrip("+~").startswith(_NOT_SETTINGS)))


def settings_of_run(run: Run) -> tuple[str, ...]:
    """Return the settings of the run's command."""
    return settings_of(run.results.raw.get("command", ""))


def by_sources(jobs: Iterable[JobResult]) -> dict[tuple[str, ...], list[JobResult]]:
    """Group jobs by their sources, whatever the order."""
    return _grouped(jobs, lambda job: tuple(sorted(job.sources)))


def by_number(jobs: Iterable[JobResult]) -> dict[int, list[JobResult]]:
    """Group jobs by their number of sources, in order."""
    return dict(sorted(_grouped(jobs, lambda job: len(job.sources)).items()))


def by_setting(jobs: Iterable[JobResult]) -> list[list[JobResult]]:
    """Group jobs that differ in nothing but the seed; of a study that ran again the last run counts.

    Target, sources (in any order), merge, and the command's other settings are a setting.
    """
    settings = _grouped(jobs, lambda job: (job.target, tuple(sorted(job.sources)), job.merge, job.settings))
    return [list({job.seed: job for job in group}.values()) for group in settings.values()]


def by_merge(jobs: Iterable[JobResult]) -> Iterator[tuple[str, dict[str, list[JobResult]]]]:
    """Yield jobs by merge, then by target; those of other settings apart, under the merge's name with its settings."""
    groups = _grouped(jobs, lambda job: (job.merge, job.settings))
    own_settings = without_common([settings for _, settings in groups])
    for ((merge, _), group), settings in zip(groups.items(), own_settings, strict=True):
        yield ", ".join([merge, *settings]), _grouped(group, lambda job: job.target)


def without_common(settings: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Return of each setting what not all of them have."""
    common = set(settings[0]).intersection(*settings) if settings else set()
    return [tuple(word for word in words if word not in common) for words in settings]


def best_sources(jobs: Iterable[JobResult]) -> list[JobResult]:
    """Return the jobs of the sources with the best mean dev score: test scores choose nothing."""
    return max(by_sources(jobs).values(), key=lambda group: mean_of(group, "dev"))


def mean_of(jobs: Sequence[JobResult], score: str) -> float:
    """Return the mean over jobs of `dev`, `test`, `baseline` or `delta`."""
    return fmean(getattr(job, score) for job in jobs)


def scores_by_number(by_target: Mapping[str, Sequence[JobResult]]) -> dict[str, dict[int, list[float]]]:
    """Return test scores by target and number of sources."""
    return {
        target: {number: [job.test for job in group] for number, group in by_number(jobs).items()}
        for target, jobs in by_target.items()
    }


def has_numbers(jobs: Sequence[JobResult]) -> bool:
    """Check that the jobs have different numbers of sources."""
    return len({len(job.sources) for job in jobs}) > 1


def _grouped(jobs: Iterable[JobResult], key: Callable[[JobResult], Any]) -> dict[Any, list[JobResult]]:
    groups: dict[Any, list[JobResult]] = defaultdict(list)
    for job in jobs:
        groups[key(job)].append(job)
    return dict(groups)


def _differences(row: Record, *, headline: Record) -> dict[str, Record]:
    """Return the differences to other models that the run itself has tested."""
    tested = [*(headline.get("not_dearer") or ()), *headline.get("against", ()), *row.get("against", {}).values()]
    return {difference["name"]: difference for difference in tested}


def _mixture(row: Record) -> tuple[float, float] | None:
    """Return dev and test of a merge's best mixture, where it kept an expert instead."""
    mixture = row.get("mixture") or {}
    if not row.get("is_expert") or mixture.get("dev") is None or mixture.get("test") is None:
        return None
    return float(mixture["dev"]), float(mixture["test"])


def _departures(results: StudyResults) -> Iterator[str]:
    model, num = results.raw.get("model", "another model"), results.raw.get("n", {}).get("test")
    if model != MODEL:
        yield f"{model} instead of Flan-T5-base"
    if results.target in OFFICIAL_TEST and num != OFFICIAL_TEST[results.target]:
        yield "other data than the official set"
    if any(data.get("shots") != SHOTS for data in results.data.values()):
        yield "not the few-shot tenth of train and dev"
