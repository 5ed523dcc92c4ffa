"""The tables of a run's models: scores, merges beside other merges, health of searches, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dfwe.report.html.cells import (
    NOTHING,
    Cell,
    Column,
    PageTable,
    Row,
    difference,
    number,
    p_value,
    score,
    text,
)
from dfwe.report.names import expert_name, name_of, names_of
from dfwe.report.numbers import seconds_in_words, size_in_words
from dfwe.report.run_folder import Run

Found = Mapping[str, Any]
_HEALTH = {
    "evaluated": Column("evaluated"),
    "repeats": Column("repeats", note="points that were asked again, which cost nothing"),
    "distinct_scores": Column("distinct scores"),
    "plateau": Column("plateau", note="most evaluations in a row without a new best"),
    "diameters": Column("simplex diameter", numeric=False, note="in logits, at the first and at the last iteration"),
}
_MIXTURE = (
    Column("mixture on dev", note="the best mixture, experts apart"),
    Column("mixture on test", note="the same mixture's test score"),
    Column("Δ of the mixture", note="the mixture's test score less the baseline's"),
)
_COSTS = {"train_steps": "training steps", "train_tokens": "tokens read", "dev_answers": "answers on dev"}


def scores_table(run: Run) -> PageTable:
    """Every model: dev, test, difference to the baseline."""
    asked, tested = run.results["headline"].get("name"), any("delta" in row for row in run.rows())
    columns = [Column("model", numeric=False), Column("test")]
    if tested:
        columns += [Column("delta", note="test score less the baseline's"), Column("p", note="two-sided")]
    columns.append(Column("dev"))
    rows = []
    for found in run.rows():
        cells = [_name(found), _test(found), *(_delta(found) if tested else ()), score(found["dev"]["score"])]
        rows.append(Row(cells, strong=found["name"] == asked))
    caption = "Scores times 100. Small: 95% interval over test instances, or ± one standard error."
    return PageTable("models", columns, rows, caption)


def merges_table(run: Run) -> PageTable | None:
    """Merges beside the uniform merge and the best expert; None where there is none."""
    merges = run.rows("merge")
    if not merges:
        return None
    mixed = any(found.get("mixture") for found in merges)
    columns = [
        Column("merge", numeric=False),
        Column("kept", numeric=False, note="how the coefficients were chosen; = is one expert as it is"),
        Column("dev"),
        *(_MIXTURE if mixed else ()),
        Column("Δ uniform", note="test score less the uniform merge's"),
        Column("Δ best expert", note="test score less that of the best expert by dev"),
        Column("optimism", note="dev score at the search less the test score"),
        Column("evaluations"),
        Column("seconds", note="of the search"),
    ]
    rows = [
        Row(
            [
                text(name_of(found)),
                text(_kept(found)),
                score(found["dev"]["score"]),
                *(_mixture(found) if mixed else ()),
                *(_against(found, other) for other in ("uniform", "best_expert")),
                difference(found.get("optimism")),
                number(found["evaluations"]),
                number(found["seconds"], digits=1),
            ],
            strong=found["name"] == run.asked,
        )
        for found in merges
    ]
    return PageTable("merges", columns, rows, "Merges; differences are of test scores, times 100.")


def health_table(rows: Sequence[Found]) -> PageTable | None:
    """How searches went, as far as results say; None where they do not."""
    known = [row for row in rows if row.get("health")]
    there = {key: column for key, column in _HEALTH.items() if any(row["health"].get(key) for row in known)}
    cells = [Row([text(name_of(row)), *(_health(row["health"].get(key)) for key in there)]) for row in known]
    columns = [Column("search", numeric=False), *there.values()]
    return PageTable("health", columns, cells, "How the searches went.") if known else None


def cost_table(run: Run) -> PageTable | None:
    """What each model needs, its experts included; None where results do not say."""
    known = [row for row in run.rows() if row.get("cost")]
    headings = (*_COSTS.values(), "time", "disk")
    columns = [Column("model", numeric=False), *(Column(heading) for heading in headings)]
    rows = [Row([text(name_of(row)), *_cost(row["cost"])], strong=row["name"] == run.asked) for row in known]
    plain = "Single-task models are" if run.is_multitask else "The baseline is"
    caption = f"What each model needs, all that it is made of included but pre-training. {plain} plain fine-tuning."
    return PageTable("costs", columns, rows, caption) if known else None


def agreement_table(run: Run) -> PageTable | None:
    """How other ways of answering agree with the study's own; None where none was asked for."""
    found = run.results.get("agreement") or {}
    columns = [Column("model, way of answering", numeric=False), Column("test"), Column("delta")]
    columns += [Column("same answers", note="share, times 100"), Column("no label", note="share, times 100")]
    rows, names = [], names_of(run.rows())
    for model in found.get("models", ()):
        for way in model["ways"]:
            delta = difference(way.get("delta"), error=way.get("delta_standard_error"))
            shares = [score(way[key]) if key in way else Cell(NOTHING) for key in ("same", "no_label")]
            rows.append(
                Row(
                    [
                        Cell(names.get(model["name"], model["name"]), small=way["way"]),
                        score(way["score"]),
                        delta,
                        *shares,
                    ]
                )
            )
    caption = f"Agreement on test with the study's own way, {found.get('own')}."
    return PageTable("agreement", columns, rows, caption) if rows else None


def seconds_table(seconds: Mapping[str, float | int]) -> PageTable | None:
    """What this run made itself; None where all lay in the store."""
    rows = [Row([text(title), number(value, digits=1)]) for title, value in seconds.items()]
    columns = [Column("stage", numeric=False), Column("seconds")]
    return (
        PageTable("seconds", columns, rows, "What this run made itself; the rest lay in the store.") if rows else None
    )


def _name(found: Found) -> Cell:
    kind = "" if found["kind"] == "baseline" else found["kind"]
    return Cell(name_of(found), small=kind)


def _test(found: Found) -> Cell:
    if "test" not in found:
        return Cell(NOTHING)
    return score(found["test"]["score"], ends=found["test"].get("interval"))


def _delta(found: Found) -> list[Cell]:
    delta = difference(found.get("delta"), ends=found.get("delta_interval"), error=found.get("delta_standard_error"))
    return [delta, p_value(found.get("p"))]


def _kept(found: Found) -> str:
    expert = found.get("is_expert")
    return str(found["picked"]) if expert is None else f"= {expert_name(str(expert))}"


def _mixture(found: Found) -> list[Cell]:
    mixture = found.get("mixture") or {}
    delta = difference(mixture.get("delta"), ends=mixture.get("delta_interval"))
    scores = [
        score(mixture[key], ends=ends) if key in mixture else Cell(NOTHING)
        for key, ends in (("dev", None), ("test", mixture.get("interval")))
    ]
    return [*scores, delta]


def _against(found: Found, other: str) -> Cell:
    than = found.get("against", {}).get(other, {})
    return difference(than.get("delta"), ends=than.get("delta_interval"), error=than.get("delta_standard_error"))


def _health(value: Any) -> Cell:
    """A number; of several, the first and the last."""
    if isinstance(value, list):
        return text(f"{value[0]:.3g} → {value[-1]:.3g}" if value else NOTHING)
    return number(value)


def _cost(cost: Found) -> list[Cell]:
    seconds, size = cost.get("seconds"), cost.get("bytes")
    time = Cell("unknown") if seconds is None else Cell(seconds_in_words(float(seconds)), float(seconds))
    disk = Cell("unknown") if size is None else Cell(size_in_words(float(size)), float(size))
    return [*(number(cost.get(key)) for key in _COSTS), time, disk]
