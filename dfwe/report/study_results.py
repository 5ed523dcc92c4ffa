"""Read `results.json` of both kinds of study into one form; nothing else tells them apart.

A row of it has `dev` and `test` with a `score` (of several tasks the mean) and `tasks`, its difference to the reference
(`delta`, `delta_interval`, `delta_standard_error`, `p`), the same by task in `differences`, and `reference_score` where
it is compared. The reference is the baseline, or of several tasks the single-task models, each on its own task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfwe.errors import DataError
from dfwe.report.names import in_words, name_of
from dfwe.values.names import BASELINE, UNIFORM

Record = Mapping[str, Any]
FORMAT = 4  # of results.json that can be read
SMALL_TEST = "small_test"  # code of the warning of a test split that shows nothing
SINGLE_TASK = "single-task models"  # several, each on its own task: what rows are compared with, never recommended


@dataclass(frozen=True)
class StudyResults:
    """Hold a study's results; `raw` is the document, `tasks` those whose mean is the score."""

    raw: Record
    rows: tuple[Record, ...]
    target: str
    sources: tuple[str, ...]
    title: str
    question: str
    facts: tuple[tuple[str, str], ...]
    data: Record  # by task: corpus, shots, rows that were left out
    test_set: tuple[Any, ...]
    reference: str = "the baseline"
    tasks: tuple[str, ...] = ()
    headline: Record = field(default_factory=dict)
    recommended: Record = field(default_factory=dict)
    headline_merge: str | None = None  # the merge that the command named
    partial_merges: frozenset[str] = frozenset()  # of some of the candidates; other seeds may have other candidates

    @property
    def seed(self) -> int:
        """Seed of the study."""
        seed: int = self.raw["seed"]
        return seed

    @property
    def warnings(self) -> Sequence[Record]:
        """Warnings of the study: `code`, `subject`, `text`."""
        warnings: Sequence[Record] = self.raw.get("warnings", ())
        return warnings

    @property
    def names(self) -> dict[str, str]:
        """Names of all models by their keys."""
        return {row["name"]: name_of(row) for row in self.rows}

    def of_kind(self, kind: str) -> list[Record]:
        """Return the rows of this kind."""
        return [row for row in self.rows if row["kind"] == kind]

    def row(self, name: str | None) -> Record | None:
        """Return the row of that name."""
        return next((row for row in self.rows if row["name"] == name), None)

    def compared(self) -> list[Record]:
        """Return the rows that were scored on test beside the reference, without partial merges."""
        return [r for r in self.rows if r.get("reference_score") is not None and r["name"] not in self.partial_merges]

    def leading_row(self) -> Record | None:
        """Return the row to show where there is room for one: the headline's, else the best merge or model on dev."""
        if self.headline_merge is not None:
            return self.row(self.headline_merge)
        tested = [row for row in self.rows if row.get("test", {}).get("score") is not None]
        merges = [row for row in tested if row["kind"] == "merge"]
        return max(merges or tested, key=rank_by_dev, default=None)


def read_results(raw: Record, *, path: str = "results.json") -> StudyResults:
    """Read results of either kind.

    Raises:
        DataError: another format, or a part is missing.
    """
    kind, version = (raw.get("kind"), raw.get("format")) if isinstance(raw, Mapping) else (None, None)
    if version != FORMAT:
        raise DataError(
            f"{path} has format {version}, and this version reads {FORMAT}: run the study's command again, it trains "
            "nothing twice"
        )
    expected = {"models", "columns"} if kind == "multitask" else {"models", "target", "headline"}
    if missing := expected - set(raw):
        raise DataError(f"{path} lacks {', '.join(sorted(missing))}: run the study's command again")
    return as_study(raw)


def as_study(raw: Record) -> StudyResults:
    """Return results of either kind in the one form; `read_results` checks their format first."""
    return _several_tasks(raw) if raw.get("kind") == "multitask" else _one_task(raw)


def rank_by_dev(row: Record) -> float:
    """Return the score on dev that rows are sorted by; an undefined one is the lowest."""
    score: float | None = row["dev"]["score"]
    return -1.0 if score is None else score


def _one_task(raw: Record) -> StudyResults:
    target, sources = str(raw["target"]), tuple(raw["sources"])
    data: dict[str, dict[str, Any]] = raw.get("data", {}).get("tasks", {})
    baseline: Record = next((row for row in raw["models"] if row["name"] == BASELINE), {})
    rows = tuple(_of_one_task(row, reference=baseline.get("test", {}).get("score")) for row in raw["models"])
    merges = [row["name"] for row in rows if row["kind"] == "merge"]
    searched = [name for name in merges if name != UNIFORM] or merges
    headline_merge = raw["headline"].get("name") or (searched[-1] if searched else None)
    return StudyResults(
        raw=raw,
        rows=rows,
        target=target,
        sources=sources,
        title=f"Merging experts for {target}",
        question=_question(target, sources=sources, are_external=bool(raw.get("external"))),
        facts=tuple(_facts_of_one_task(raw, row=next((r for r in rows if r["name"] == headline_merge), None))),
        data=data,
        test_set=(next(iter(data.values()), {}).get("corpus"), raw.get("n", {}).get("test")),  # the target comes first
        headline=raw["headline"],
        recommended=raw.get("recommended") or {},
        headline_merge=headline_merge,
    )


def _question(target: str, *, sources: Sequence[str], are_external: bool) -> str:
    if are_external:
        return (
            f"Does merging {in_words(sources)} help on {target}? They were trained elsewhere; the merge of their "
            "weights is compared with the best of them, and with their base model where it is known."
        )
    return (
        f"Does merging experts help on {target}? Experts were trained on {in_words(sources)}, and each was "
        "fine-tuned on the target; the merge of their weights is compared with the baseline, the same parent "
        "fine-tuned on the target alone."
    )


def _of_one_task(row: Record, *, reference: float | None) -> Record:
    is_beside = row["kind"] == "merge" or (row["kind"] == "baseline" and row["name"] != BASELINE)
    is_compared = is_beside and None not in (row.get("test", {}).get("score"), reference)
    return {**row, "reference_score": reference if is_compared else None}


def _facts_of_one_task(raw: Record, *, row: Record | None) -> Iterator[tuple[str, str]]:
    yield "target", str(raw["target"])
    if external := raw.get("external"):
        yield "experts", in_words(external)
    else:
        yield "sources", in_words(raw["sources"])
    yield "model", str(raw.get("model", "unknown"))
    yield "instances of the target", in_words(raw.get("n", {}))
    yield "answers by", str(raw.get("decode", "unknown"))
    yield "seed", str(raw.get("seed", "unknown"))
    if row is not None:
        yield "merge that was asked for", name_of(row)
        yield "kept coefficients by", str(row.get("selection", "unknown"))
        yield "evaluations on dev", str(row.get("evaluations", "unknown"))
        if row.get("dev", {}).get("metrics"):
            yield "score", f"the mean of {in_words(list(row['dev']['metrics']))}, times 100"


def _several_tasks(raw: Record) -> StudyResults:
    columns, candidates = dict(raw["columns"]), list(raw.get("candidates", ()))
    names = {row["name"]: name_of(row) for row in raw["models"]}
    data = raw.get("data", {}).get("tasks", {})
    rows = tuple(_of_several_tasks(row) for row in raw["models"])
    partial = (row for row in rows if row["name"] in raw.get("ablation", {}) and len(row["of"]) < len(candidates))
    return StudyResults(
        raw=raw,
        rows=rows,
        target=", ".join(columns),
        sources=tuple(raw["n"]),
        title="Models with heads, merged",
        question="One encoder with a head for each task, and merges of the models that are worth it.",
        facts=(
            ("tasks", in_words(columns)),
            ("model", str(raw.get("model", "unknown"))),
            ("instances", in_words(raw.get("n", {}))),
            ("merged models", in_words({f"Model {n}": names.get(c, c) for n, c in enumerate(candidates, 1)})),
            ("seed", str(raw.get("seed", "unknown"))),
        ),
        data=data,
        test_set=tuple(
            (data.get(task, {}).get("corpus"), raw["n"].get(column, {}).get("test")) for column, task in columns.items()
        ),
        reference=f"the {SINGLE_TASK}",
        tasks=tuple(columns),
        recommended=raw.get("recommended") or {},
        partial_merges=frozenset(row["name"] for row in partial),
    )


def _of_several_tasks(row: Record) -> Record:
    reference = row["test"]["score"] - row["delta"] if "differences" in row and "delta" in row else None
    return {"differences": {}, **row, "reference_score": reference}
