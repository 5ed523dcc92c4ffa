"""The question in words, and the settings it was asked with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dfwe.report.choice import choice_parts
from dfwe.report.html.section import Section
from dfwe.report.names import name_of
from dfwe.report.run_folder import Run
from dfwe.report.written import written

Found = Mapping[str, Any]


def asked(run: Run) -> Section:
    """Return the part that says what was trained, merged and compared."""
    results = run.results
    lines = [
        f"Does merging experts help on {results['target']}? Experts were trained on {written(results['sources'])}, and "
        "each was fine-tuned on the target; the merge of their weights is compared with the baseline, the same parent "
        "fine-tuned on the target alone.",
        *(part.plain for part in choice_parts(results.get("choice"))),
    ]
    note = "What was trained and merged, on which data, and how scores are made."
    return Section("asked", "What was asked", lines, facts=list(_facts(run)), note=note)


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    results, row = run.results, run.row(run.asked)
    yield "target", str(results["target"])
    yield "sources", written(results["sources"])
    yield "model", str(results.get("model", "not said"))
    yield "instances of the target", written(results.get("n", {}))
    yield "answers by", str(results.get("decode", "not said"))
    yield "seed", str(results["seed"])
    if row is None:
        return
    yield "merge that was asked for", name_of(row)
    yield "kept coefficients by", str(row["picked"])
    yield "evaluations on dev", str(row["evaluations"])
    if row["dev"].get("metrics"):
        yield "score", f"the mean of {written(list(row['dev']['metrics']))}, times 100"
