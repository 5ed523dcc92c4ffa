"""What `executor=ray` costs: trainings on two of its workers against the same in two processes of their own.

    python benchmarks/executor.py --epochs 8 --repeats 3

Each side makes the same independent experts, whoever is free the next, in its own copy of a store that holds data,
tokens and parent. The clock runs from the start of the workers (which import and plan) to their end; Ray itself has
started before, which is reported apart. `memory` tells what each worker adds that reads the experts' array, shared.
Prints one JSON line; times are medians, in seconds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import ray
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from dfwe.conf import conf_dir
from dfwe.config.task_options import register
from dfwe.execution.local import make_timed
from dfwe.execution.quiet import quiet
from dfwe.execution.ray.candidate_pool import SharedArray
from dfwe.execution.ray.executor import RayExecutor
from dfwe.merging.expert_array import ExpertArray, Layout
from dfwe.studies.plan import plan_study

WORKERS = 2
SOURCES = "sources=[emory_emotion,personality,question_answering,relation_extraction]"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        print(json.dumps(measured(Path(folder), epochs=arguments.epochs, repeats=arguments.repeats)))


def measured(folder: Path, *, epochs: int, repeats: int) -> dict[str, Any]:
    """Both sides in turns; `overhead` is of the medians."""
    config = configuration(folder / "first", epochs=epochs)
    prepare(config)
    begun = time.perf_counter()
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    started = time.perf_counter() - begun
    sides: dict[str, Callable[[DictConfig], float]] = {"processes": with_processes, "ray": with_ray}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats):
        for name in (sides, reversed(sides))[turn % 2]:
            store = folder / f"{name}_{turn}"
            shutil.copytree(folder / "first", store)
            times[name].append(sides[name](configuration(store, epochs=epochs)))
    medians = {name: statistics.median(each) for name, each in times.items()}
    return {
        "trainings": len(trainings(config)),
        **{f"{name}_seconds": round(each, 2) for name, each in medians.items()},
        "overhead": round(medians["ray"] / medians["processes"] - 1, 4),
        "all": {name: [round(each, 2) for each in found] for name, found in times.items()},
        "start_of_ray_seconds": round(started, 2),
        "memory": memory(),
    }


def configuration(store: Path, *, epochs: int) -> DictConfig:
    """Independent trainings: experts that stop on nothing, with one thread each."""
    register()
    overrides = ["+target=meld", SOURCES, "stages.until=train", "model.pretrain=null", f"paths.store={store}"]
    overrides += [f"trainer.train.epochs={epochs}", f"trainer.train.patience={epochs}", "trainer.threads=1"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=overrides)


def prepare(config: DictConfig) -> None:
    """Data, tokens and parent: what both sides are given."""
    study = plan_study(config)
    for stage in study.trained.values():
        for task in stage.recipe.tasks:
            study.family.encode(task, split="train")
    for split in ("dev", "test"):
        study.family.scorer(study.target, split=split)


def trainings(config: DictConfig) -> list[str]:
    """The experts' digests: the mixture first, which takes longest."""
    trained = plan_study(config).trained
    return [trained[name].digest for name in ("mixture", *(each for each in trained if each != "mixture"))]


def with_processes(config: DictConfig) -> float:
    """Two processes take one training after another from a list."""
    context = multiprocessing.get_context("spawn")
    todo = context.Queue()
    for digest in [*trainings(config), *[None] * WORKERS]:
        todo.put(digest)
    plain = OmegaConf.to_container(config, resolve=True)
    begun = time.perf_counter()
    processes = [context.Process(target=_train, args=(plain, todo)) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return time.perf_counter() - begun


def _train(config: dict[str, Any], todo: Any) -> None:
    quiet()
    torch.set_num_threads(1)
    study = plan_study(OmegaConf.create(config))
    stages = {stage.digest: stage for _, stage in study.stages()}
    while (digest := todo.get()) is not None:
        make_timed(stages[digest], store=study.family.context.store)


def with_ray(config: DictConfig) -> float:
    """The same list through the executor."""
    study, digests = plan_study(config), trainings(config)
    stages = [("train", stage) for stage in study.trained.values()]
    stages.sort(key=lambda each: digests.index(each[1].digest))
    executor = RayExecutor(address=None, workers=WORKERS, cpus=1, gpus=None, retries=0)
    begun = time.perf_counter()
    with executor.opened(config, family=study.family) as execute:
        execute(stages, start=lambda number, total, title: lambda share: None)
    return time.perf_counter() - begun


def memory(*, megabytes: int = 400, most: int = 4) -> dict[str, list[float]]:
    """Megabytes of their own (unique set size) of 1 to `most` workers that have read a shared array of that size."""
    readers = [ray.remote(num_cpus=0)(_Reader).remote() for _ in range(most)]
    before, after = (_own_memory(readers, numbers=numbers) for numbers in (1, megabytes * 250_000))
    grown = [round((now - then) / 1e6, 1) for then, now in zip(before, after, strict=True)]
    return {"array_megabytes": [float(megabytes)], "own_megabytes_by_worker": grown}


def _own_memory(readers: list[Any], *, numbers: int) -> list[int]:
    layout = Layout(("w",), (torch.Size([numbers]),))
    shared = ray.put(SharedArray.of(ExpertArray(("a",), layout, torch.ones(1, numbers))))
    return [psutil.Process(ray.get(each.read.remote(shared))).memory_full_info().uss for each in readers]


class _Reader:
    """Holds an array, and has read all of it."""

    def read(self, shared: SharedArray) -> int:
        self._array = shared.array()
        assert float(self._array.weights.sum()) > 0
        return os.getpid()


if __name__ == "__main__":
    main()
