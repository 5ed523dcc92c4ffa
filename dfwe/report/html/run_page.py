"""Write the page of a run: the study in reading order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dfwe.io.files import write_text
from dfwe.report import study_tables
from dfwe.report.figures.study import MOST_MERGES, figure_merges, study_figures, training_curves
from dfwe.report.figures.style import save
from dfwe.report.html.answer import answer
from dfwe.report.html.page import PageExamples, PagePicture, PageSection, render
from dfwe.report.html.use import use
from dfwe.report.names import in_words, name_of
from dfwe.report.run_folder import Run, read_run, readable_results, started_at
from dfwe.report.study_results import Record, StudyResults
from dfwe.report.sweep.tables import PAGE
from dfwe.report.tables import MISSING, Column, ReportTable, number, tabulate, text
from dfwe.report.verdict import connectedness_note, source_selection_note
from dfwe.values.names import UNIFORM

PICTURES = "pictures"
Pictures = Sequence[PagePicture]


def write_run_page(folder: Path) -> Path:
    """Write `report.html` into a run's folder, and its pictures as PNG and SVG into `pictures/`.

    Raises:
        DataError: no results there, results of another format, or a broken file beside them.
    """
    run = read_run(folder)
    with readable_results(folder):
        content = run_page(run, pictures=_draw(run))
    write_text(folder / PAGE, content)
    return folder / PAGE


def run_page(run: Run, *, pictures: Mapping[str, Pictures]) -> str:
    """Return the page as HTML; `pictures` by section."""
    results = run.results
    about = ", ".join(results.tasks) or f"with {', '.join(results.sources)}"
    subtitle = f"{about} · seed {results.seed} · {started_at(run.path).strftime('%Y-%m-%d %H:%M')}"
    sections = [section for section in _sections(run, pictures) if section is not None]
    return render("run.html", title=results.title, subtitle=subtitle, sections=sections)


def _draw(run: Run) -> dict[str, list[PagePicture]]:
    """Return the study's pictures by section; each is drawn once for its file and the page."""
    pictures: dict[str, list[PagePicture]] = defaultdict(list)
    for figure in study_figures(run):
        _, path = save(figure.figure, folder=run.path / PICTURES, name=figure.name)
        pictures[figure.section].append(PagePicture.of(figure, svg=path.read_text(encoding="utf8")))
    return pictures


def _sections(run: Run, pictures: Mapping[str, Pictures]) -> Iterator[PageSection | None]:
    results = run.results
    yield answer(results)
    yield _question(results)
    yield use(run)
    tables = [
        *study_tables.model_tables(results),
        *study_tables.present(study_tables.merges_table(results), study_tables.decoding_table(results)),
    ]
    yield PageSection("table", "All models", tables=tables, note="Every model's scores on test and dev.")
    yield _learning(results, pictures=pictures.get("learning", []))
    yield _search(results, pictures=pictures.get("search", []))
    yield _coefficients(results, pictures=pictures.get("coefficients", []))
    yield _labels(results)
    yield _errors(results, pictures=pictures.get("errors", []))
    yield _cost(results)
    yield _reproduction(results)


def _question(results: StudyResults) -> PageSection:
    lines = [results.question, *filter(None, [source_selection_note(results)])]
    note = "What was trained and merged, on which data, and how scores are made."
    return PageSection("asked", "What was asked", lines, facts=results.facts, note=note)


def _learning(results: StudyResults, *, pictures: Pictures) -> PageSection | None:
    if not pictures:
        return None
    num = len(list(training_curves(results)))
    lines = [f"{num} trainings, each with its dev scores and the epoch that was kept."]
    note = "The dev scores after each epoch of every training."
    return PageSection("learning", "Learning curves", lines, pictures=pictures, note=note)


def _labels(results: StudyResults) -> PageSection | None:
    tables = list(study_tables.label_tables(results))
    note = "Where a score comes from: F1 of each label on test."
    return PageSection("classes", "F1 by label", tables=tables, note=note) if tables else None


def _search(results: StudyResults, *, pictures: Pictures) -> PageSection | None:
    """Return traces, diagnostics, and reasons to doubt; None where nothing was merged."""
    merges, lines = results.of_kind("merge"), []
    if not merges:
        return None
    if not pictures:
        lines.append("No search's trials to show: nothing was searched, or no trial was kept.")
    if len(merges) > MOST_MERGES + 1 and pictures:
        lines.append(f"Pictures show {MOST_MERGES} merges, the one that was asked for and the best on dev.")
    searched = [row for row in merges if (row.get("search_diagnostics") or {}).get("evaluated", 0) > 1]
    tables = study_tables.present(study_tables.search_table(searched))
    return PageSection("search", "The search", lines, warnings=list(_doubts(results)), tables=tables, pictures=pictures)


def _doubts(results: StudyResults) -> Iterator[str]:
    """Yield searches that did not move, and what merge methods noted."""
    for row in results.of_kind("merge"):
        record = row.get("search_diagnostics") or {}
        num, num_scores = record.get("evaluated", 0), record.get("distinct_scores")
        if row["name"] != UNIFORM and num > 1 and num_scores == 1 and not row.get("stopped_evaluations"):
            yield (
                f"{name_of(row)} did not move: all {num} candidates have the same dev score. Larger "
                "steps (merge.search.step) or more dev instances may tell candidates apart."
            )
        for key, value in ({} if results.tasks else row.get("notes") or {}).items():
            yield f"{name_of(row)}, {str(key).replace('_', ' ')}: {in_words(value)}"


def _coefficients(results: StudyResults, *, pictures: Pictures) -> PageSection | None:
    """Return the coefficients that were kept, as numbers and bars; None where nothing has coefficients."""
    merges = results.of_kind("merge") if results.tasks else figure_merges(results)
    merges = [row for row in merges if row.get("coefficients")]
    tables = study_tables.present(study_tables.coefficients_table(merges)) if merges else []
    lines = list(filter(None, [connectedness_note(results)]))
    return PageSection("weights", "Coefficients", lines, tables=tables, pictures=pictures) if merges else None


def _errors(results: StudyResults, *, pictures: Pictures) -> PageSection | None:
    """Return instances that the merge fixed or broke, and confusion matrices; None without both."""
    record = results.raw.get("examples") or {}
    groups = [group for key in ("fixed", "broke") if (group := _examples(record, key)) is not None]
    lines = []
    if record:
        merge, against, fixed, broke = (record[key] for key in ("merge", "against", "num_fixed", "num_broke"))
        words = f"fixed {fixed} and broke {broke} against {against}"
        if record.get("are_graded"):
            words = f"scores more than {against} on {fixed}, and less on {broke}"
        lines = [f"Of the test instances, {merge} {words}."]
    if not groups and not pictures and not lines:
        return None
    return PageSection("errors", "Errors worth reading", lines, pictures=pictures, examples=groups)


def _examples(record: Record, key: str) -> PageExamples | None:
    examples = [_example(record) for record in record.get(key, ())]
    if not examples:
        return None
    total = record.get(f"num_{key}", len(examples))
    num = f"{len(examples)} of {total}" if total > len(examples) else str(total)
    against, is_better = record["against"], key == "fixed"
    if record.get("are_graded"):
        title = f"{record['merge']} scores {'more' if is_better else 'less'} than {against} ({num})"
        return PageExamples(title, against, record["merge"], ("", ""), examples)
    before, after = ("wrong", "right") if is_better else ("right", "wrong")
    title = f"{key.capitalize()}: {record['merge']} is {after} where {against} was {before} ({num})"
    return PageExamples(title, against, record["merge"], (before, after), examples)


def _example(record: Record) -> dict[str, str]:
    return {**record, "gold": " | ".join(record["gold"])}


def _cost(results: StudyResults) -> PageSection:
    tables = study_tables.present(study_tables.cost_table(results), study_tables.seconds_table(results))
    lines = [] if tables else ["Everything lay in the store already."]
    costs = results.raw.get("diagnostics") or {}
    if costs:
        answers = " and ".join(f"{number(cost['dev_answers']).text} by {name}" for name, cost in costs.items())
        lines.append(f"Beside what the models need, diagnostics needed answers on dev: {answers}.")
    return PageSection("cost", "Cost", lines, tables=tables)


def _reproduction(results: StudyResults) -> PageSection:
    """Return the command, seeds, versions and digests."""
    raw, command = results.raw, results.raw.get("command", "")
    facts: dict[str, Any] = {key: raw.get(key, MISSING.text) for key in ("seed", "parent", "precision")}
    facts |= {f"{name} (version)": version for name, version in raw.get("versions", {}).items()}
    columns = [
        Column("what", "what", lambda fact: text(fact[0]), is_numeric=False),
        Column("is", "is", lambda fact: text(in_words(fact[1])), is_numeric=False),
    ]
    tables = study_tables.present(
        tabulate("facts", facts.items(), columns=columns, caption="What made the numbers."), _data_table(results)
    )
    lines = ["The same command again trains nothing twice: what it needs lies in the store."] if command else []
    code = [("The command", command)] if command else []
    return PageSection("reproduce", "How to reproduce it", lines, tables=tables, code=code)


def _data_table(results: StudyResults) -> ReportTable | None:
    corpus = "the first 16 digits of its sha256"
    columns = [
        Column("task", "task", lambda item: text(item[0]), is_numeric=False),
        Column("corpus", "corpus", lambda item: text(item[1].get("corpus", "–")[:16]), corpus, is_numeric=False),
        Column("shots", "shots", lambda item: text(in_words(item[1].get("shots", "–"))), is_numeric=False),
        Column("left_out", "rows left out", lambda item: number(len(item[1].get("bad_rows", ()))), "broken rows"),
    ]
    return tabulate("data", results.data.items(), columns=columns, caption="The data, by digest.")
