"""The page of a run: the study in reading order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from dfwe.report.figures.study_figures import study_pictures
from dfwe.report.figures.style import save
from dfwe.report.html.answer import answer
from dfwe.report.html.asked import asked
from dfwe.report.html.details import coefficients, cost, errors, reproduce, search
from dfwe.report.html.learning import classes, learning
from dfwe.report.html.models import agreement_table, merges_table, scores_table
from dfwe.report.html.multitask import multitask_sections
from dfwe.report.html.render import render, write_page
from dfwe.report.html.section import PagePicture, Section
from dfwe.report.html.use import use
from dfwe.report.run_folder import Run, read_run
from dfwe.report.study_folder import results_read

PAGE, PICTURES = "report.html", "pictures"


def write_run_page(folder: Path) -> Path:
    """Writes `report.html` into a run's folder, and its pictures as PNG and SVG into `pictures/`.

    Raises:
        DataError: no results there, results of another format, or a broken file beside them.
    """
    run = read_run(folder)
    with results_read(folder):
        pictures = _drawn(run)
        content = run_page(run, pictures=pictures)
    write_page(folder / PAGE, content=content)
    return folder / PAGE


def run_page(run: Run, *, pictures: Mapping[str, list[PagePicture]]) -> str:
    """The page as HTML; `pictures` by section."""
    sections = list(multitask_sections(run, pictures) if run.is_multitask else _sections(run, pictures))
    when = run.when.strftime("%Y-%m-%d %H:%M")
    results = run.results
    if run.is_multitask:
        title, about = "Models with heads, merged", f"{', '.join(results['columns'])} · seed {results['seed']} · {when}"
    else:
        title = f"Merging experts for {results['target']}"
        about = f"with {', '.join(results['sources'])} · seed {results['seed']} · {when}"
    return render("run.html", title=title, subtitle=about, sections=sections)


def _drawn(run: Run) -> dict[str, list[PagePicture]]:
    """The study's pictures by section; each is drawn once for its file and the page."""
    found: dict[str, list[PagePicture]] = defaultdict(list)
    for picture in study_pictures(run):
        _, path = save(picture.figure, folder=run.path / PICTURES, name=picture.name)
        found[picture.section].append(PagePicture.of(picture, svg=path.read_text(encoding="utf8")))
    return found


def _sections(run: Run, pictures: Mapping[str, list[PagePicture]]) -> Iterator[Section]:
    more = [table for table in (merges_table(run), agreement_table(run)) if table is not None]
    found = (
        answer(run, asked=run.asked),
        asked(run),
        use(run),
        Section("table", "All models", tables=[scores_table(run), *more], note="Every model's scores on test and dev."),
        learning(run.results, pictures=pictures.get("learning", [])),
        search(run, pictures=pictures.get("search", [])),
        coefficients(run, pictures=pictures.get("coefficients", [])),
        classes(run),
        errors(run, pictures=pictures.get("errors", [])),
        cost(run),
        reproduce(run.results),
    )
    yield from (section for section in found if section is not None)
