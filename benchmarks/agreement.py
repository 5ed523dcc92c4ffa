"""A trained model's answers with bfloat16 weights against float32's, and the time that both take, interleaved.

    python benchmarks/agreement.py WEIGHTS.safetensors +target=meld sources=[personality] data=friends data.root=FOLDER
        model=minilm [--split test] [--rounds 3] [overrides ...]

WEIGHTS is an expert's file of that model (in the store: `train-*/weights.safetensors`). Overrides are the command's
own. Prints one JSON line: the share of the same answers, both scores, the median ratio of the times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from dfwe.conf import conf_dir
from dfwe.config.task_options import register
from dfwe.merging.expert_array import load_weights
from dfwe.studies.plan import plan_study


def study(overrides: list[str]) -> Any:
    """A study planned and not run; its models answer dev with bfloat16 weights."""
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return plan_study(compose("config", overrides=[*overrides, "trainer.precision=bf16-mixed"]))


def seconds(function: Any) -> tuple[float, Any]:
    """How long it takes, and its result."""
    begun = time.perf_counter()
    result = function()
    return time.perf_counter() - begun, result


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    options, overrides = parser.parse_known_args()
    planned = study(overrides)
    family, target = planned.family, planned.target
    for stage in planned.pretraining:
        stage.result(family.context.store)
    model = family.model(family.tasks)
    load_weights(model, options.weights, name=options.weights.stem)
    scorer = family.scorer(target, split=options.split)
    scorer(model).predictions, scorer(model, exact=True).predictions  # warm
    rounds = [
        (seconds(lambda: scorer(model, exact=True).predictions), seconds(lambda: scorer(model).predictions))
        for _ in range(options.rounds)
    ]
    (_, exact), (_, half) = rounds[-1]
    same = sum(a == b for a, b in zip(exact, half, strict=True))
    print(
        json.dumps(
            {
                "task": target.name,
                "instances": len(exact),
                "same answers (%)": round(100 * same / len(exact), 2),
                "score, float32": round(100 * scorer.evaluate(exact).score, 2),
                "score, bfloat16": round(100 * scorer.evaluate(half).score, 2),
                "times faster": round(statistics.median(a / b for (a, _), (b, _) in rounds), 2),
                "float32 seconds": round(statistics.median(a for (a, _), _ in rounds), 2),
            }
        )
    )


if __name__ == "__main__":
    main()
