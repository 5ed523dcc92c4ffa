"""Collect every row of many runs over targets and seeds: baselines, merges, and the experts that have a role."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from dfwe.report.names import name_of
from dfwe.report.run_folder import Run
from dfwe.report.study_results import SINGLE_TASK, Record, StudyResults
from dfwe.report.sweep.intervals import Difference, MeanDifference
from dfwe.report.sweep.jobs import JobResult, job_of, settings_of_run
from dfwe.report.sweep.paper_table import in_paper_order
from dfwe.values.names import BASELINE, BEST_EXPERT, EQUALLY_TRAINED, UNIFORM

_TITLES = {BEST_EXPERT: "best expert by dev", EQUALLY_TRAINED: "target alone, both trainings"}
Place = tuple[str, int]  # target and seed


@dataclass(frozen=True)
class RowScores:
    """Hold a row's jobs by target and seed, and those of all rows of the same studies by their names."""

    name: str
    settings: tuple[str, ...]
    jobs: Mapping[Place, JobResult]
    beside: Mapping[str, Mapping[Place, JobResult]]

    @property
    def first(self) -> JobResult:
        """One of its jobs, for what all have."""
        return next(iter(self.jobs.values()))

    @property
    def title(self) -> str:
        """Name of the row for people; texts without labels are counted where all its studies read as many."""
        titles = {job.title for job in self.jobs.values()}
        return self.first.title if len(titles) == 1 else name_of({**self.first.row, "unlabelled": None})

    @property
    def is_headline(self) -> bool:
        """True where a study asked for it."""
        return any(job.is_headline for job in self.jobs.values())

    @property
    def by_target(self) -> dict[str, list[JobResult]]:
        """Jobs by target, targets in the paper's order."""
        groups: dict[str, list[JobResult]] = defaultdict(list)
        for job in self.jobs.values():
            groups[job.target].append(job)
        return {target: groups[target] for target in in_paper_order(groups)}

    def mean(self, score: str) -> float:
        """Return the mean over targets of the means over seeds of `dev` or `test`."""
        return fmean(fmean(getattr(job, score) for job in jobs) for jobs in self.by_target.values())

    def differences(self, reference: str) -> dict[str, list[Difference]]:
        """Return the differences to another row, of the same target and seed each, by target."""
        references = self.beside.get(reference, {})
        pairs: dict[str, list[Difference]] = defaultdict(list)
        for target, jobs in self.by_target.items():
            for job in (job for job in jobs if (target, job.seed) in references):
                pairs[target].append(_difference(job, references[target, job.seed]))
        return dict(pairs)

    def mean_difference(self, reference: str) -> MeanDifference | None:
        """Return the mean difference with its interval; None where it is compared with nothing, or with itself."""
        differences = {} if self.name == reference else self.differences(reference)
        return MeanDifference.of(differences) if differences else None


def row_scores(runs: Iterable[Run]) -> list[RowScores]:
    """Return each row with its jobs over all runs, those of one setting together, the best on dev first.

    Of runs that repeat a study the last one counts. Rows with fewer targets come last. A sweep over sets of sources has
    no such rows.
    """
    runs = list(runs)
    if _has_several_sets(runs):
        return []
    studies: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, dict[Place, JobResult]]] = {}
    for job in (job for run in runs for job in _rows_of(run)):
        of_study = studies.setdefault((job.settings, job.tasks), {})
        of_study.setdefault(str(job.row["name"]), {})[job.target, job.seed] = job
    rows = [
        RowScores(name, settings, of_row, of_study)
        for (settings, _), of_study in studies.items()
        for name, of_row in of_study.items()
    ]
    order = {settings: place for place, settings in enumerate(dict.fromkeys(row.settings for row in rows))}
    return sorted(rows, key=lambda row: (order[row.settings], -len(row.by_target), -row.mean("dev")))


def _has_several_sets(runs: Iterable[Run]) -> bool:
    """Check whether studies that are otherwise equal have several sets of sources: a mean of these tells nothing.

    Sources that a study selects itself may differ by seed.
    """
    sets: dict[tuple[object, ...], set[tuple[str, ...]]] = defaultdict(set)
    for run in runs:
        results = run.results
        seed = results.seed if results.raw.get("source_selection") else None
        sets[results.target, seed, settings_of_run(run)].add(tuple(sorted(results.sources)))
    return any(len(of_study) > 1 for of_study in sets.values())


def _rows_of(run: Run) -> Iterator[JobResult]:
    """Yield a run's rows: what all are compared with, the experts that have a role, baselines and merges."""
    for row in [*_references(run.results), *run.results.compared()]:
        yield job_of(run, row)


def _references(results: StudyResults) -> Iterator[Record]:
    if results.tasks:
        single = _single_task_models(results)
        yield from [] if single is None else [single]
        return
    baseline = results.row(BASELINE)
    score = (baseline or {}).get("test", {}).get("score")
    if baseline is None or score is None:
        return
    yield {**baseline, "reference_score": score}
    roles = {BEST_EXPERT: results.raw.get("roles", {}).get(BEST_EXPERT), EQUALLY_TRAINED: next(iter(results.data), "")}
    for role, name in roles.items():
        expert = results.row(name)
        if expert is not None and expert["kind"] == "expert" and expert.get("test", {}).get("score") is not None:
            # to choose the best of them all experts are trained, as for the uniform merge
            cost = (results.row(UNIFORM) or {}).get("cost", {}) if role == BEST_EXPERT else expert.get("cost", {})
            yield {
                **expert,
                "name": role,
                "model": name,
                "title": _TITLES[role],
                "reference_score": score,
                "cost": cost,
            }


def _single_task_models(results: StudyResults) -> Record | None:
    """Return the models of one task each as one row, each on its own task."""
    models = {column: results.row(name) for column, name in results.raw.get("single", {}).items()}
    if not models or set(models) != set(results.tasks) or None in models.values():
        return None
    rows = {column: row for column, row in models.items() if row is not None}
    splits = {split: {column: row[split]["tasks"][column] for column, row in rows.items()} for split in ("dev", "test")}
    if None in [score for tasks in splits.values() for score in tasks.values()]:
        return None
    scores = {split: {"score": fmean(tasks.values()), "tasks": tasks} for split, tasks in splits.items()}
    seconds = [row.get("cost", {}).get("seconds") for row in rows.values()]
    cost = {} if None in seconds else {"cost": {"seconds": sum(seconds)}}
    title = {"name": BASELINE, "title": SINGLE_TASK, "kind": "single", "reference_score": scores["test"]["score"]}
    return {**scores, **cost, **title}


def _difference(job: JobResult, other: JobResult) -> Difference:
    """Return the difference of two models of a study; its error is known where the run has tested it."""
    name = other.row["name"]
    compared = job.row if name == BASELINE else job.differences.get(other.row.get("model", name), {})
    return Difference(job.test - other.test, compared.get("delta_standard_error"), compared.get("delta_interval"))
