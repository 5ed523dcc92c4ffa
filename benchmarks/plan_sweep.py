"""How long it takes to plan a sweep of 1,120 jobs, and of one job, as the command does it.

    python benchmarks/plan_sweep.py [overrides]

Seconds of wall and of CPU time from the composed multirun to the plan; torch is imported before, as every command
imports it once. The store is that of `paths.store`; cards in it are read for the estimate.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from dfwe.conf import conf_dir
from dfwe.config.task_options import register
from dfwe.sweeps.jobs import jobs_of
from dfwe.sweeps.plan import plan_sweep

SWEEPS = {
    "1 job": ("+target=meld", "seed=0"),
    "140 jobs: triples and targets": ("+sweep=[source_triples,all_targets]",),
    "1,120 jobs: and 8 seeds": ("+sweep=[source_triples,all_targets]", "seed=0,1,2,3,4,5,6,7"),
    "1,120 jobs: and 4 seeds, 2 merges": ("+sweep=[source_triples,all_targets]", "seed=0,1,2,3", "merge=linear,ties"),
}


def main() -> None:
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for name, overrides in SWEEPS.items():
            wall, cpu, plan = planned([*overrides, *sys.argv[1:]])
            to_do = sum(row["to_do"] for row in plan["rows"].values())
            print(f"{name:36} {plan['jobs']:5} jobs {to_do:6} stages to do   {wall:5.2f} s, {cpu:5.2f} s of CPU")


def planned(overrides: list[str]) -> tuple[float, float, dict[str, Any]]:
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    config = hydra.compose_config(
        "config", overrides, run_mode=RunMode.MULTIRUN, from_shell=False, with_log_configuration=False
    )
    wall, cpu = time.perf_counter(), time.process_time()
    plan = plan_sweep(jobs_of(config), compose=lambda overrides: compose("config", overrides=list(overrides)))
    return time.perf_counter() - wall, time.process_time() - cpu, plan


if __name__ == "__main__":
    main()
