"""The page of a run: the study in reading order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dfwe.report.figures.style import save
from dfwe.report.page.details import coefficients, cost, errors, reproduce, search
from dfwe.report.page.headline import asked, headline
from dfwe.report.page.models import merges_table, scores_table
from dfwe.report.page.multitask import multitask_sections
from dfwe.report.page.render import render, write_page
from dfwe.report.page.section import PagePicture, Section
from dfwe.report.pictures import Picture, study_pictures
from dfwe.report.run_folder import Run, read_run

PAGE, PICTURES = "report.html", "pictures"


def write_run_page(folder: Path) -> Path:
    """Writes `report.html` into a run's folder, and its pictures as PNG and SVG into `pictures/`.

    Raises:
        DataError: no results there, results of another format, or a broken file beside them.
    """
    run = read_run(folder)
    pictures = [] if run.is_multitask else list(study_pictures(run))
    for picture in pictures:
        save(picture.figure, folder=folder / PICTURES, name=picture.name)
    write_page(folder / PAGE, content=run_page(run, pictures=pictures))
    return folder / PAGE


def run_page(run: Run, *, pictures: list[Picture]) -> str:
    """The page as HTML."""
    sections = list(multitask_sections(run) if run.is_multitask else _sections(run, pictures))
    when = run.when.strftime("%Y-%m-%d %H:%M")
    results = run.results
    if run.is_multitask:
        title, about = "Models with heads, merged", f"{', '.join(results['columns'])} · seed {results['seed']} · {when}"
    else:
        title = f"Merging experts for {results['target']}"
        about = f"with {', '.join(results['sources'])} · seed {results['seed']} · {when}"
    return render("run.html", title=title, subtitle=about, sections=sections)


def _sections(run: Run, pictures: list[Picture]) -> Iterator[Section]:
    def of(section: str) -> list[PagePicture]:
        return [PagePicture.of(picture) for picture in pictures if picture.section == section]

    yield asked(run)
    yield headline(run)
    merges = merges_table(run)
    yield Section("table", "All models", tables=[scores_table(run), *([merges] if merges is not None else ())])
    yield search(run, pictures=of("search"))
    for section in (coefficients(run, pictures=of("coefficients")), errors(run, pictures=of("errors"))):
        if section is not None:
            yield section
    yield cost(run)
    yield reproduce(run.results)
