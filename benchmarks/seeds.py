"""What benchmarks over the seeds of studies share: the command, and means with their errors."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from dfwe.config.task_options import register


def mean_with_error(values: Sequence[float], *, digits: int) -> dict[str, float]:
    """The mean, and its standard error; 0 of a single value."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return {"mean": round(statistics.mean(values), digits), "standard_error": round(error, digits)}


def run_seeds(
    description: str | None, *, one_seed: Callable[..., Any], summary: Callable[[list[Any]], Any], num_seeds: int
) -> None:
    """Measures seed after seed as the command line asks, and prints one JSON line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=num_seeds)
    parser.add_argument("--first", type=int, default=0)
    options, overrides = parser.parse_known_args()
    register()
    found = [one_seed(options.first + number, overrides=overrides) for number in range(options.seeds)]
    print(json.dumps({"summary": summary(found), "studies": found}))
