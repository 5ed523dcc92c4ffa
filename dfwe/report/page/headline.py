"""What was asked, and the answer in one sight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dfwe.report.choice import choice_parts
from dfwe.report.numbers import ALPHA, P_BY, confirm_note, interval, rank_by_dev, rare_note, times_100
from dfwe.report.page.cells import difference, p_value, score, signed
from dfwe.report.page.section import Section
from dfwe.report.run_folder import Run

ONE_SEED = (
    "One seed: the intervals are over test instances only and say nothing of how seeds differ. "
    "python -m dfwe.report page FOLDERS puts runs of several seeds together."
)


def asked(run: Run) -> Section:
    """The question in words."""
    results = run.results
    sizes = ", ".join(f"{number} {split}" for split, number in results.get("n", {}).items())
    lines = [
        f"Does merging experts help on {results['target']}? Experts were trained on {_listed(results['sources'])}, and "
        "each was fine-tuned on the target; the merge of their weights is compared with the baseline, the same parent "
        "fine-tuned on the target alone.",
        f"Model: {results.get('model', 'not said')}. Instances of the target: {sizes}. Answers: "
        f"{results.get('decode', 'not said')}. Seed: {results['seed']}.",
    ]
    row = run.row(run.asked)
    if row is not None:
        lines.append(
            f"The merge that was asked for is {row['name']}: {row['evaluations']} evaluations of the dev split, kept: "
            f"{row['picked']}. Scores are the mean of {_listed(row['dev'].get('metrics', {}))}, times 100."
        )
    lines += [part.plain for part in choice_parts(results.get("choice"))]
    return Section("asked", "What was asked", lines)


def headline(run: Run) -> Section:
    """The merge's test score and its difference to the baseline, with intervals and what they allow to say."""
    row, name = run.row(run.results["headline"].get("name")), run.results["headline"].get("name")
    if row is None or row.get("delta") is None:
        return Section("headline", "Headline", [_nothing_compared(run)])
    delta = difference(row["delta"], ends=row.get("delta_interval"), error=row.get("delta_standard_error"))
    figures = [
        (f"{name} on test", score(row["test"]["score"], ends=row["test"].get("interval"))),
        ("difference to the baseline", delta),
    ]
    if "p" in row:
        figures.append((f"p by {P_BY.get(row.get('p_by', ''), 'no known test')}", p_value(row["p"])))
    return Section("headline", "Headline", list(_sentences(run, row)), figures=figures)


def _sentences(run: Run, row: Mapping[str, Any]) -> Iterator[str]:
    yield f"{row['name']} is {_verdict(row)}."
    best = max(run.rows("expert"), key=rank_by_dev, default=None)
    if best is not None and "test" in best:
        yield _beside_expert(row, best=best)
    kind = "Small numbers are 95% bootstrap intervals." if "delta_interval" in row else "± is one standard error."
    if "confirm" in row:
        yield confirm_note(row["confirm"])
    yield f"{kind} {ONE_SEED}"
    if rare := rare_note(run.results.get("rare_classes", ())):
        yield rare


def _beside_expert(row: Mapping[str, Any], *, best: Mapping[str, Any]) -> str:
    """The merge beside the best expert by dev."""
    words = f"The best expert by dev, {best['name']}, scores {times_100(best['test']['score'])}"
    found = row.get("against", {}).get("best_expert", {})
    if row["picked"] == "expert":
        return f"{words}. The search found no mixture that is better on dev: what was kept is one expert as it is."
    if found.get("delta") is None:
        return f"{words}."
    ends = interval(found.get("delta_interval"), sign=True) or f"± {100 * found['delta_standard_error']:.1f}"
    return f"{words}: the merge differs by {signed(found['delta'])} ({ends})."


def _verdict(row: Mapping[str, Any]) -> str:
    """What p allows to say; without one, two standard errors."""
    sure = row["p"] <= ALPHA if "p" in row else abs(row["delta"]) > 2 * row["delta_standard_error"]
    if not sure:
        return "not clearly different from the baseline: on this test split no difference can be claimed"
    return "better than the baseline" if row["delta"] > 0 else "worse than the baseline"


def _nothing_compared(run: Run) -> str:
    undefined = [row["name"] for row in run.rows() if "test" in row and row["test"]["score"] is None]
    if undefined:
        return f"The score on test is undefined for {_listed(undefined)}: nothing is compared with it."
    return "No merge was scored on test beside a baseline."


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "nothing"
