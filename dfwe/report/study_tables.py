"""Build the tables of one study: scores, merges, searches, costs, and what of several tasks differs by task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dfwe.report import columns as registry
from dfwe.report.names import expert_name, name_of
from dfwe.report.study_results import Record, StudyResults
from dfwe.report.tables import MISSING, Cell, Column, ReportTable, number, score, tabulate, text
from dfwe.report.verdict import cost_column_note, unlabelled_note

_SMALL = "Small: 95% interval over the test split"  # on a page


def model_tables(results: StudyResults) -> list[ReportTable]:
    """Return the table of all models, and of several tasks the tables of their differences and dev scores."""
    if not results.tasks:
        notes = f"{_SMALL}, or ± one standard error."
        caption = " ".join(filter(None, ("Scores times 100.", cost_column_note(results), unlabelled_note(results))))
        table = _tabulate_models("models", results, columns=registry.MODEL_COLUMNS, caption=caption, notes=notes)
        return present(table)
    return present(task_table(results, rows=results.rows), differences_table(results), _dev_table(results))


def present(*tables: ReportTable | None) -> list[ReportTable]:
    """Return the tables that are there."""
    return [table for table in tables if table is not None]


def task_table(results: StudyResults, *, rows: Sequence[Record], title: str = "") -> ReportTable | None:
    """Return the scores by task on test, their mean, and its share of the single-task models' mean.

    A single-task model has its task alone, as in the paper.
    """
    shares, published = share_of_single(results), results.raw.get("published") or {}
    columns = [
        _of_tasks(Column("test", "mean", registry.TEST.cell)),
        *(_of_tasks(registry.task_score(task, split="test"), task=task) for task in results.tasks),
        _of_tasks(Column("dev", "mean\non dev", registry.DEV.cell)),
        Column("share", "share of\nsingle-task", lambda row: _share(shares.get(row["name"])), is_optional=True),
        Column("published", "published (on dev)", lambda r: _published(published.get(r["name"])), is_optional=True),
    ]
    sizes = ", ".join(f"{task} {results.raw['n'].get(task, {}).get('test', 'unknown')}" for task in results.tasks)
    caption = f"{title}Scores on test ({sizes} instances), times 100."
    return _tabulate_models("test", results, columns=columns, caption=caption, rows=rows, notes=f"{_SMALL}.")


def ablation_table(results: StudyResults) -> ReportTable | None:
    """Return the candidates by their numbers and the merges of some of them; None without an ablation."""
    ablation, candidates = results.raw.get("ablation") or {}, list(results.raw.get("candidates", ()))
    rows = [row for row in (results.row(name) for name in candidates) if row is not None]
    rows = [{**row, "title": f"{name_of(row)} (Model {n})"} for n, row in enumerate(rows, 1)]
    merges = [(results.row(name), title) for name, title in ablation.items()]
    rows += [{**row, "title": title} for row, title in merges if row is not None]
    return task_table(results, rows=rows, title="Merges of some of the models. ") if ablation else None


def differences_table(results: StudyResults, *, rows: Sequence[Record] | None = None) -> ReportTable | None:
    """Return test scores less those of the single-task models, by task and of the mean; None without any."""
    compared = [row for row in (results.rows if rows is None else rows) if row.get("differences")]
    if not compared:
        return None
    by_task = [column for task in results.tasks for column in registry.task_differences(task)]
    mean = Column(registry.DELTA.key, "Δ mean", registry.DELTA.cell)
    references = ", ".join((results.raw.get("single") or {}).values())
    caption = (
        f"Test scores less those of the single-task models{f' ({references})' if references else ''}, each on "
        "its own task; times 100. p of a task is corrected over the tasks (Holm)."
    )
    columns = [mean, registry.P_VALUE, *by_task, registry.OPTIMISM]
    return _tabulate_models("differences", results, columns=columns, caption=caption, rows=compared, notes=f"{_SMALL}.")


def errors_table(results: StudyResults) -> ReportTable | None:
    """Return the squared error by bins of the gold number; None where results do not have it."""
    rows = [row for row in results.rows if "errors_by_gold" in row]
    if not rows:
        return None
    bins = rows[0]["errors_by_gold"]
    columns = [
        Column(f"bin{place}", f"{bin['low']:g} to {bin['high']:g}\n(n {bin['n']})", _squared_error(place))
        for place, bin in enumerate(bins)
    ]
    return tabulate(
        "errors-by-gold", rows, columns=[registry.MODEL, *columns], caption="Squared error by gold number on test."
    )


def merges_table(results: StudyResults) -> ReportTable | None:
    """Return what each merge kept beside its best mixture; equal budgets together, the best mixture on dev first."""
    rows = sorted(results.of_kind("merge"), key=lambda row: (-(row.get("budget") or 0), -_rank(row)))
    return tabulate(
        "merges",
        rows,
        columns=[registry.MERGE, *registry.MERGE_COLUMNS],
        caption="Merges; differences are of test scores, times 100.",
        strong=lambda row: bool(row["name"] == results.headline_merge),
        group=lambda row: f"budget {row['budget']}" if row.get("budget") is not None else "",
        has_group_titles=True,
    )


def search_table(rows: Sequence[Record]) -> ReportTable | None:
    """Return how searches went; None where results do not say."""
    compared = [row for row in rows if row.get("search_diagnostics")]
    name = Column("search", "search", registry.MERGE.cell, is_numeric=False)
    columns = [name, *registry.nested("search_diagnostics", registry.SEARCH_COLUMNS)]
    return tabulate("search-diagnostics", compared, columns=columns, caption="How the searches went.")


def cost_table(results: StudyResults, *, rows: Sequence[Record] | None = None) -> ReportTable | None:
    """Return what each model needs, its experts included; None where results do not say."""
    plain = "The single-task models are plain fine-tuning" if results.tasks else "The baseline is plain fine-tuning"
    if results.raw.get("external"):
        plain = "Experts were trained elsewhere"
    return tabulate(
        "costs",
        [row for row in (results.rows if rows is None else rows) if row.get("cost")],
        columns=[
            Column("model", "model", lambda row: text(name_of(row)), is_numeric=False),
            *registry.nested("cost", registry.COST_COLUMNS),
        ],
        caption=f"Cost of each model, its experts included, without pre-training. {plain}.",
        strong=lambda row: bool(row["name"] == results.headline_merge),
    )


def decoding_table(results: StudyResults) -> ReportTable | None:
    """Return how other ways of decoding agree with the study's own; None where none was compared."""
    record, names = results.raw.get("decoding_comparison") or {}, results.names
    ways = [{**way, "model": model["name"]} for model in record.get("models", ()) for way in model["ways"]]
    name = Column(
        "model",
        "model, decoding",
        lambda way: Cell(names.get(way["model"], way["model"]), small=way["way"], brief=way["way"]),
        is_numeric=False,
    )
    caption = f"How often answers on test agree with the study's own decoding, {record.get('default')}; times 100."
    return tabulate(
        "agreement",
        ways,
        columns=[name, *registry.DECODING_COLUMNS],
        caption=caption,
        group=lambda way: str(way["model"]),
    )


def coefficients_table(merges: Sequence[Record]) -> ReportTable | None:
    """Return the coefficients that were kept: a row per expert, a column per merge."""
    experts = list(dict.fromkeys(name for row in merges for name in row["coefficients"]))
    columns = [Column("expert", "expert", lambda name: text(expert_name(name)), is_numeric=False)]
    columns += [
        Column(row["name"], name_of(row), _by_key(row["coefficients"], partial(number, digits=3))) for row in merges
    ]
    return tabulate("coefficients", experts, columns=columns, caption="Coefficients that were kept.")


def label_tables(results: StudyResults) -> Iterator[ReportTable]:
    """Yield for each task with labels the F1 of each label on test by model."""
    names = results.names
    for place, (task, record) in enumerate((results.raw.get("classes") or {}).items()):
        columns = [
            Column("label", "label", text, is_numeric=False),
            Column("n", "n", _by_key(record["gold"], number), note="test instances with this gold label"),
            *(
                Column(model, names.get(model, model), _by_key(of, _defined_score))
                for model, of in record["f1"].items()
            ),
        ]
        caption = f"F1 of each label of {task} on test, times 100; – is a label that is neither gold nor answered."
        yield from present(tabulate(f"classes-{place}", record["gold"], columns=columns, caption=caption))


def seconds_table(results: StudyResults) -> ReportTable | None:
    """Return how long the stages took that this run made; None where all were in the store."""
    seconds = results.raw.get("seconds", {})
    columns = [
        Column("stage", "stage", text, is_numeric=False),
        Column("seconds", "seconds", _by_key(seconds, partial(number, digits=1))),
    ]
    return tabulate("seconds", seconds, columns=columns, caption="What this run made itself; the store had the rest.")


def share_of_single(results: StudyResults) -> dict[str, float]:
    """Return each mean on test as a share of the single-task models' mean, each on its own task; the paper has 98.9%.

    Of several single-task models of a task, the best on dev counts. Empty where a task has none, or a score is
    undefined.
    """
    best: dict[str, tuple[float, float | None]] = {}  # by task: scores on dev and test
    for row in results.of_kind("single"):
        task = row.get("tasks", [None])[0]
        if "test" in row and task in results.tasks:
            dev = row.get("dev", {}).get("tasks", {}).get(task)
            scores = (-1.0 if dev is None else dev, row["test"]["tasks"].get(task))
            best[task] = max(best.get(task, scores), scores, key=lambda pair: pair[0])
    test = [score for _, score in best.values() if score is not None]
    if not results.tasks or set(best) != set(results.tasks) or len(test) < len(best) or sum(test) <= 0:
        return {}
    mean = sum(test) / len(test)
    rows = (row for row in results.rows if row["kind"] != "single")
    return {row["name"]: row["test"]["score"] / mean for row in rows if row.get("test", {}).get("score")}


def _tabulate_models(
    id: str,
    results: StudyResults,
    *,
    columns: Sequence[Column],
    caption: str,
    rows: Sequence[Record] | None = None,
    notes: str = "",
) -> ReportTable | None:
    return tabulate(
        id,
        results.rows if rows is None else rows,
        columns=[registry.MODEL, *columns],
        caption=caption,
        strong=lambda row: bool(row["name"] == results.headline_merge),
        group=lambda row: str(row["kind"]),
        notes=notes,
    )


def _dev_table(results: StudyResults) -> ReportTable | None:
    columns = [Column("dev", "mean", registry.DEV.cell)]
    columns += [registry.task_score(task, split="dev") for task in results.tasks]
    return _tabulate_models("dev", results, columns=columns, caption="Scores on dev, times 100.")


def _of_tasks(column: Column, *, task: str | None = None) -> Column:
    """Return the column without what a single-task model scores on other tasks, and without its mean."""

    def cell(row: Record) -> Cell:
        is_other = row["kind"] == "single" and task not in row.get("tasks", ())
        return MISSING if is_other else column.cell(row)

    return replace(column, cell=cell)


def _rank(row: Record) -> float:
    """Return the dev score of a merge's best mixture, or of what it kept."""
    value = (row.get("mixture") or {}).get("dev", row["dev"]["score"])
    return -1.0 if value is None else float(value)


def _by_key(values: Mapping[str, Any], write: Callable[[Any], Cell]) -> Callable[[str], Cell]:
    return lambda key: write(values.get(key))


def _defined_score(value: float | None) -> Cell:
    return MISSING if value is None else score(value)


def _share(share: float | None) -> Cell:
    return MISSING if share is None else Cell(f"{100 * share:.1f}%", share)


def _published(scores: Sequence[Any] | None) -> Cell:
    return text("  ".join("–" if s is None else f"{100 * s:.1f}" for s in scores)) if scores else MISSING


def _squared_error(place: int) -> Any:
    def cell(row: Record) -> Cell:
        error = row["errors_by_gold"][place]["squared_error"]
        return MISSING if error is None else Cell(f"{error:.2f}", error)

    return cell
