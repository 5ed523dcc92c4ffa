"""Write the answer, before anything else: the model to ship, its worth, and all models beside the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dfwe.report.columns import TEST
from dfwe.report.html.forest import ForestPlot, ForestRow
from dfwe.report.html.page import PageSection
from dfwe.report.names import display_name, name_of
from dfwe.report.numbers import times_100
from dfwe.report.study_results import Record, StudyResults
from dfwe.report.tables import Cell, difference
from dfwe.report.verdict import ROLES, cost_note, holdout_note, rare_classes_note, undefined_note, unlabelled_note

ONE_SEED = (
    "One seed: the intervals are over the test split only and say nothing of how seeds differ. "
    "dfwe report page FOLDERS puts runs of several seeds together."
)
_CLAIMS = {
    None: "Nothing is claimed",
    "better": "It is better than what it is compared with",
    "not_shown": "That it is better cannot be claimed",
    "worse": "It is worse than some of what it is compared with",
}


def answer(results: StudyResults) -> PageSection:
    """Return the section with the model to ship, its differences, their claim, warnings and the forest plot."""
    lines, numbers = _content(results)
    note = "The single model to ship, chosen by dev among all rows, and how sure its gain on test is."
    warnings = list(_warnings(results))
    return PageSection(
        "answer", "Answer", lines, warnings=warnings, numbers=numbers, forest=_forest(results), note=note
    )


def _forest(results: StudyResults) -> ForestPlot | None:
    """Return the plot of all differences to the reference on test, the largest first; None without any."""
    strong = {results.recommended.get("name"), results.headline_merge}
    entries = [_entry(row, results, strong=row["name"] in strong) for row in results.rows]
    rows = sorted((entry for entry in entries if entry is not None), key=lambda entry: -entry.delta)
    caption = (
        f"Every model's test score less that of {results.reference}, times 100, the largest first, with 95% intervals "
        "over the test split. Filled: the interval leaves out 0."
    )
    if results.headline_merge is not None:
        caption += " Bold: the model to ship, and the merge that was asked for."
    if any(row.get("is_expert") and row.get("mixture") for row in results.of_kind("merge")):
        caption += " A merge that kept one expert stands here with its best mixture, where that was tested."
    return ForestPlot(caption, rows) if rows else None


def _entry(row: Record, results: StudyResults, *, strong: bool) -> ForestRow | None:
    """Return a row's difference; of a merge that kept one expert that of its best mixture, None if it was not tested.

    The merge that was asked for stands as it is.
    """
    if row.get("is_expert") is None or row["name"] == results.headline_merge or results.tasks:
        return ForestRow.of(row, row, strong=strong)
    entry = ForestRow.of(row, row.get("mixture") or {}, strong=strong)
    return None if entry is None else replace(entry, kind="merge, its best mixture")


def _warnings(results: StudyResults) -> Iterator[str]:
    """Yield their texts; merges that are one expert, but for the one that was asked for, are one warning."""
    of_experts = [warning for warning in results.warnings if warning["code"] == "same_as_expert"]
    same = [warning for warning in of_experts if results.headline_merge not in str(warning["subject"]).split(", ")]
    names = ", ".join(str(warning["subject"]) for warning in same)  # a warning may be of several merges
    for warning in results.warnings:
        if warning not in same or len(same) == 1:
            words = str(warning["text"])
            starts_with_name = words.startswith(str(warning["subject"]).split()[0])  # names stay as they are
            yield f"{words}." if starts_with_name else _sentence(words)
    if len(same) > 1:
        yield (
            f"{len(names.split(', '))} other merges are one expert as it is, for their searches found no better "
            f"mixture on dev: {names}."
        )


def _content(results: StudyResults) -> tuple[list[str], list[tuple[str, Cell]]]:
    """Return sentences and large numbers of the model to ship, or of the merge where nothing is recommended."""
    best, head = results.recommended, results.row(results.headline.get("name"))
    if best:
        row = results.row(best["name"]) or best
        return list(_lines(results, row=row)), [*_on_test(row), *_numbers(best.get("against", ()))]
    if head is None or head.get("delta") is None:
        undefined = undefined_note(results)
        return [undefined or "No merge was scored on test beside a baseline."], []
    lines = [f"The merge that was asked for is {name_of(head)}.", *_notes(results, head)]
    return lines, [*_on_test(head), *_numbers([{**head, "role": "baseline", "name": "baseline"}])]


def _on_test(row: Record) -> list[tuple[str, Cell]]:
    if row.get("test", {}).get("score") is None:
        return []
    return [(f"{name_of(row)} on test", TEST.cell(row))]


def _numbers(against: Sequence[Record]) -> Iterator[tuple[str, Cell]]:
    """Yield a large number per model that another is compared with; one that has two roles comes once."""
    seen: set[str] = set()
    for compared in against:
        name, role = compared["name"], compared["role"]
        if name in seen or compared.get("delta") is None:
            continue
        seen.add(name)
        words = f"against {ROLES.get(role, name)}"
        if role == "baseline" != name:  # of several tasks
            words = f"against the {name}"
        if role == "best_expert":
            words = f"{words}, {display_name(name, kind='expert')}"
        yield words, difference(compared)


def _lines(results: StudyResults, *, row: Record) -> Iterator[str]:
    best, head, merge = results.recommended, results.headline, results.row(results.headline_merge)
    among = f" of {best['chosen_among']} models" if "chosen_among" in best else ""
    is_merge = merge is not None and best["name"] == merge["name"]
    same = "; it is the merge that was asked for" if is_merge else ""
    yield f"Ship {name_of(row)}: it scores best{among} on dev, {times_100(best['dev'])}{same}."
    yield _claim(best)
    is_tested = merge is not None and merge.get("test", {}).get("score") is not None
    if merge is not None and not is_merge and is_tested and not results.tasks:
        scores = f"The merge that was asked for, {name_of(merge)}, scores {times_100(merge['test']['score'])} on test."
        yield f"{scores} {_claim(head)}" if "claim" in head else scores
    yield from _notes(results, merge or row)


def _notes(results: StudyResults, row: Record) -> Iterator[str]:
    """Yield what a holdout says of the merge, and how the numbers are to be read."""
    for note in filter(None, (holdout_note(row), unlabelled_note(results))):
        yield note
    yield f"Small numbers are 95% bootstrap intervals. {ONE_SEED}"
    if note := rare_classes_note(results):
        yield note


def _claim(compared: Record) -> str:
    claim, why = compared.get("claim"), compared.get("why")
    words = _CLAIMS.get(claim, str(claim))
    return f"{_sentence(f'{words}: {why}' if why else words)} {cost_note(compared)}".rstrip()


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}".removesuffix(".") + "."
