"""Training all weights, and LoRA's factors, of the same model on the same examples: speed, memory, files.

    python benchmarks/lora.py [--models smollm2 smollm2_lora] [--shots 128] [--rounds 2] [--threads 2] [OVERRIDE ...]

Trains the study's plain baseline for two epochs, each measurement a process of its own, in turns; the second epoch
counts, from its first step's end to its last's. Overrides are those of a study, such as `data=friends data.root=FOLDER`
and `model.max_source_tokens=128`; by default the toy corpus. Prints medians: seconds a step, by the clock and of the
processor (for a machine that others use, too), source tokens a second, the process's peak memory (the loaded model and
libraries among it), and the bytes of a checkpoint and of a result.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from dfwe.config.compose import compose_study
from dfwe.merging.expert_array import save_weights
from dfwe.models.lora import save_lora
from dfwe.studies.plan import plan_study
from dfwe.training.fit import fit_expert


def measure(model: str, overrides: Sequence[str]) -> dict[str, float]:
    """Train for two epochs; return the numbers of the second."""
    study = plan_study(
        compose_study(["+target=meld", "sources=[emory_emotion]", "export=false", f"model={model}", *overrides])
    )
    assert study.baseline is not None
    stage, stamps = study.baseline, list[tuple[float, float]]()
    module = stage.module()
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_expert(
            module,
            data=stage.family.training_data(stage.recipe, seed=0),
            settings=replace(stage.settings(module), epochs=2, stop_on="last"),
            target=None,
            own=None,
            seed=0,
            folder=Path(folder),
            save=save_weights if stage.lora is None else save_lora,
            tell=lambda share: stamps.append((time.perf_counter(), time.process_time())),
        )
        checkpoint, result = (Path(folder) / "last.ckpt").stat().st_size, fit.weights.stat().st_size
    steps = len(stamps) // 2
    seconds, busy = ((end - begin) / (steps - 1) for begin, end in zip(stamps[steps], stamps[-1], strict=True))
    return {
        "seconds a step": seconds,
        "processor seconds a step": busy,
        "tokens a second": stage.num_tokens(1) / steps / seconds,
        "peak memory, GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "checkpoint, MB": checkpoint / 1e6,
        "result, MB": result / 1e6,
    }


def main() -> None:
    """Measure in turns, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["smollm2", "smollm2_lora"])
    parser.add_argument("--shots", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_intermixed_args()
    overrides = [f"data.shots={options.shots}", f"trainer.threads={options.threads}", *options.overrides]
    rounds: dict[str, list[dict[str, float]]] = {model: [] for model in options.models}
    for _ in range(options.rounds):
        for model in options.models:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                rounds[model].append(pool.submit(measure, model, overrides).result())
    medians = {
        model: {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}
        for model, runs in rounds.items()
    }
    print(json.dumps(medians, indent=2))


if __name__ == "__main__":
    main()
