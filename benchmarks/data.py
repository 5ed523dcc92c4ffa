"""Seconds to load tasks of a prepared set, and the share of padding in their batches.

    python benchmarks/data.py data=friends data.root=FOLDER model=minilm [data.shots=0.1] [overrides ...]

For each task: seconds from the files to the tokens of all three splits, cache empty and cache full; the
share of padding in training batches (of the train split) and in evaluation batches. Prints one JSON line per task.
Overrides are the command's own.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir

from dfwe.conf import conf_dir
from dfwe.config.task_data import StudyData
from dfwe.config.task_options import read_tasks, register
from dfwe.families.batching import shuffled_batches, token_batches
from dfwe.studies.plan import plan_study

TRAIN, EVALUATION = "padding of training batches", "padding of evaluation batches"


def padding(lengths: list[int], batches: list[list[int]]) -> float:
    """The share of padded tokens that no instance has."""
    return 1 - sum(lengths) / sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)


def study(target: str, overrides: list[str]) -> Any:
    """A study of that target, planned and not run."""
    source = "emory_emotion" if target == "meld" else "meld"
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plan_study(compose("config", overrides=[f"+target={target}", f"sources=[{source}]", *overrides]))


def load(planned: Any) -> tuple[float, dict[str, Any]]:
    """Seconds from the files to the tokens of all three splits, as a new process would take them after its imports."""
    family, target = planned.family, planned.target
    asked = family.context.data
    begun = time.perf_counter()
    data = StudyData(asked.store, asked.config, max_words=asked.max_words, seed=asked.seed, shots=asked.shots)
    again = replace(family, context=replace(family.context, data=data), _splits={}, _scorers={})
    tokens = {split: again.encode(target, split=split) for split in ("train", "dev", "test")}
    return time.perf_counter() - begun, tokens


def measure(target: str, overrides: list[str]) -> dict[str, Any]:
    """One task's figures."""
    planned = study(target, overrides)
    first, _ = load(planned)
    seconds: list[float] = []
    tokens: dict[str, Any] = {}
    for _ in range(5):
        again, tokens = load(planned)
        seconds.append(again)
    lengths = {split: list(each.tokens["length"]) for split, each in tokens.items()}
    trainer = planned.family.context.trainer
    batches = shuffled_batches(
        lengths["train"],
        batch_size=trainer["batch_size"],
        group_batches=trainer["group_batches"],
        generator=np.random.default_rng(0),
    )
    evaluated = {
        split: padding(lengths[split], token_batches(lengths[split], max_tokens=trainer["eval_tokens"]))
        for split in ("dev", "test")
    }
    return {
        "task": target,
        "instances": {split: len(each) for split, each in lengths.items()},
        "seconds, empty cache": round(first, 2),
        "seconds, from the cache (median of 5)": round(statistics.median(seconds), 2),
        TRAIN: round(padding(lengths["train"], batches), 4),
        EVALUATION: {split: round(share, 4) for split, share in evaluated.items()},
    }


def main(overrides: list[str]) -> None:
    """Measures and prints."""
    register()
    own = [name for name, config in read_tasks().items() if config.data is None]
    with tempfile.TemporaryDirectory() as scratch:
        overrides = [f"paths.store={scratch}", *overrides]
        planned = study("meld", overrides)
        for stage in planned.pretraining:  # the parent, whose tokenizer all tasks share
            stage.result(planned.family.context.store, tell=lambda share: None)
        for target in own:
            print(json.dumps(measure(target, overrides)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
