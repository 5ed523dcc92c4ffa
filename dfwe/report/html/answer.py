"""The answer, before anything else: which model to ship, what that is worth, and every model beside the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dfwe.report.html.cells import Cell, difference, score
from dfwe.report.html.forest import Difference, Forest, forest_of
from dfwe.report.html.section import Section
from dfwe.report.names import display_name, name_of
from dfwe.report.numbers import confirm_note, rare_note, times_100
from dfwe.report.run_folder import Run

ONE_SEED = (
    "One seed: the intervals are over test instances only and say nothing of how seeds differ. "
    "python -m dfwe.report page FOLDERS puts runs of several seeds together."
)
ROLES = {
    "baseline": "against the baseline",
    "equally_trained": "against the baseline trained as long",
    "best_expert": "against the best expert by dev",
    "uniform": "against the uniform merge",
}
NOTHING = "Nothing is claimed"
CLAIMS = {
    "better": "It is better than what it is compared with",
    "not_shown": "That it is better cannot be claimed",
    "worse": "It is worse than what it is compared with",
}
Found = Mapping[str, Any]


def answer(run: Run, *, asked: str | None, others: str = "the baseline") -> Section:
    """Return the part with the model to ship, its differences, their claim, warnings and the forest plot.

    `asked` is the merge that was asked for, `others` what differences are to.
    """
    lines, figures = _told(run, asked)
    warnings = list(_warnings(run.results.get("warnings", ()), asked=asked))
    note = "The single model to ship, chosen by dev among all rows, and how sure its gain on test is."
    plot = forest(run, asked=asked, others=others)
    return Section("answer", "Answer", lines, warnings=warnings, figures=figures, forest=plot, note=note)


def forest(run: Run, *, asked: str | None, others: str) -> Forest | None:
    """Return the plot of every model's difference to the others on test; None where nothing was compared."""
    bold = {run.results.get("recommended", {}).get("name"), asked}
    found = [_difference(row, asked=asked, strong=row["name"] in bold) for row in run.rows()]
    rows = sorted((each for each in found if each is not None), key=lambda each: -each.delta)
    caption = (
        f"Every model's test score less that of {others}, times 100, the largest first, with 95% intervals over test "
        "instances. Filled: the interval leaves out 0."
    )
    if asked is not None:
        caption += " Bold: the model to ship, and the merge that was asked for."
    if any(row.get("is_expert") for row in run.rows("merge")):
        caption += " A merge that kept one expert stands here with its best mixture, where that was tested."
    return forest_of(rows, caption=caption)


def against_figures(against: Sequence[Found]) -> Iterator[tuple[str, Cell]]:
    """Yield a large number for each model that another is held against; one that plays two parts comes once."""
    seen: set[str] = set()
    for each in against:
        if each["name"] in seen or each.get("delta") is None:
            continue
        seen.add(each["name"])
        words = ROLES.get(each["role"], f"against {each['name']}")
        if each["role"] == "baseline" != each["name"]:  # of models with heads
            words = f"against the {each['name']}"
        if each["role"] == "best_expert":
            words = f"{words}, {display_name(each['name'], kind='expert')}"
        yield words, difference(each["delta"], ends=each.get("delta_interval"), error=each.get("delta_standard_error"))


def claim_words(found: Found) -> str:
    """Return in a sentence what the differences allow to say."""
    claim, why = found.get("claim"), found.get("why")
    words = NOTHING if claim is None else CLAIMS.get(claim, str(claim))
    return _sentence(f"{words}: {why}" if why else words)


def _difference(row: Found, *, asked: str | None, strong: bool) -> Difference | None:
    """A row's difference; of a merge that kept one expert that of its best mixture, none where it was not tested.

    The merge that was asked for stands as it is.
    """
    if row.get("is_expert") is None or row["name"] == asked:
        return Difference.of(row, row, strong=strong)
    found = Difference.of(row, row.get("mixture") or {}, strong=strong)
    return None if found is None else replace(found, kind="merge, its best mixture")


def _warnings(found: Sequence[Found], *, asked: str | None) -> Iterator[str]:
    """Their texts; merges that are one expert, but for the one that was asked for, are one warning."""
    same = [each for each in found if each["code"] == "same_as_expert" and each["subject"] != asked]
    for each in found:
        if each not in same or len(same) == 1:
            words = str(each["text"])
            yield (
                f"{words}." if words.startswith(str(each["subject"]).split()[0]) else _sentence(words)
            )  # names stay as they are
    if len(same) > 1:
        yield (
            f"{len(same)} other merges are one expert as it is, for their searches found no better mixture on dev: "
            f"{', '.join(str(each['subject']) for each in same)}."
        )


def _told(run: Run, asked: str | None) -> tuple[list[str], list[tuple[str, Cell]]]:
    """Sentences and large numbers, of the model to ship; of the merge where an earlier format recommends none."""
    best, head = run.results.get("recommended") or {}, run.row(run.results["headline"].get("name"))
    if best:
        row = run.row(best["name"]) or best
        return list(_lines(run, best, row=row, asked=run.row(asked))), [
            *_on_test(row),
            *against_figures(best.get("against", ())),
        ]
    if head is None or head.get("delta") is None:
        return [_nothing_compared(run)], []
    lines = [f"The merge that was asked for is {name_of(head)}.", *_notes(run, head)]
    return lines, [*_on_test(head), *against_figures([{**head, "role": "baseline", "name": "baseline"}])]


def _on_test(row: Found) -> list[tuple[str, Cell]]:
    if row.get("test", {}).get("score") is None:
        return []
    return [(f"{name_of(row)} on test", score(row["test"]["score"], ends=row["test"].get("interval")))]


def _lines(run: Run, best: Found, *, row: Found, asked: Found | None) -> Iterator[str]:
    among = f" of {best['chosen_among']} models" if "chosen_among" in best else ""
    same = "; it is the merge that was asked for" if asked is not None and best["name"] == asked["name"] else ""
    yield f"Ship {name_of(row)}: it scores best{among} on dev, {times_100(best['dev'])}{same}."
    yield claim_words(best)
    if asked is not None and best["name"] != asked["name"] and run.results["headline"]:
        yield _about_asked(asked, run.results["headline"])
    yield from _notes(run, asked)


def _notes(run: Run, asked: Found | None) -> Iterator[str]:
    """What confirms the merge, and how the numbers are to be read."""
    if asked is not None and "confirm" in asked:
        yield confirm_note(asked["confirm"])
    yield f"Small numbers are 95% bootstrap intervals. {ONE_SEED}"
    if rare := rare_note(run.results.get("rare_classes", ())):
        yield rare


def _about_asked(row: Found, head: Found) -> str:
    """The merge that was asked for, where another model is the one to ship."""
    scores = f"The merge that was asked for, {name_of(row)}, scores {times_100(row['test']['score'])} on test"
    return f"{scores}. {claim_words(head)}" if "claim" in head else f"{scores}."


def _nothing_compared(run: Run) -> str:
    undefined = [name_of(row) for row in run.rows() if "test" in row and row["test"]["score"] is None]
    if undefined:
        return f"The score on test is undefined for {', '.join(undefined)}: nothing is compared with it."
    return "No merge was scored on test beside a baseline."


def _sentence(words: str) -> str:
    """The words as a sentence."""
    return f"{words[:1].upper()}{words[1:]}".removesuffix(".") + "."
