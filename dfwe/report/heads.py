"""Results of models with heads in the form of a text study's: the mean of the tasks is the score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfwe.report.multitask_differences import of_mean

Found = Mapping[str, Any]


def as_study(results: Found) -> Found:
    """The results themselves, but for models with heads: the tasks that count are the target, all tasks the sources.

    Differences are those to the single-task models. A row has `test_of` and `delta_of` by task, too.
    """
    if results.get("kind") != "multitask":
        return results
    keys = ("seed", "precision", "parent", "command", "model", "recommended", "warnings")
    same = {key: results[key] for key in keys if key in results}
    return {
        **same,
        "target": ", ".join(results["columns"]),
        "sources": list(results["n"]),
        "models": [_row(row) for row in results["rows"]],
        "headline": {},
    }


def _row(row: Found) -> dict[str, Any]:
    compared, mean = row.get("against_single", {}).get("tasks", {}), of_mean(row)
    found = {**row, "dev": {"score": row["dev"]["mean"]}, **{key: mean[key] for key in mean if key.startswith("delta")}}
    found |= {"p": mean.get("p"), "delta_of": {task: each["delta"] for task, each in compared.items()}}
    if "test" not in row:
        return found
    test, ends = row["test"], row["test"].get("intervals", {}).get("mean")
    return found | {"test": {"score": test["mean"], "interval": ends}, "test_of": dict(test["tasks"])}
