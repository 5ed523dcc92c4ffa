"""Wall time and peak memory of the default command: store empty, then full; and of --help.

    python benchmarks/default_command.py [--runs 3] [overrides ...]

Prints one JSON line per run and the medians. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure(arguments: list[str]) -> dict[str, float]:
    """Seconds and peak resident memory (GiB, of the largest process) of one run of the command."""
    command = [sys.executable, "-m", "dfwe.run", *arguments]
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20  # of all children so far: the largest
    return {"seconds": round(seconds, 1), "peak_gib": round(peak, 2)}


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("overrides", nargs="*", default=[])
    options = parser.parse_args()
    study = options.overrides or ["+target=meld", "merge=nelder_mead"]
    found: dict[str, list[float]] = {"help": [], "empty store": [], "full store": []}
    for run in range(options.runs):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            where = [f"paths.store={folder}/store", f"hydra.run.dir={folder}/run"]
            for name, arguments in (
                ("help", ["--help"]),
                ("empty store", [*study, *where]),
                ("full store", [*study, *where]),
            ):
                measured = measure(arguments)
                found[name].append(measured["seconds"])
                print(json.dumps({"run": run, "what": name, **measured}), flush=True)
    print(json.dumps({f"median seconds, {name}": statistics.median(seconds) for name, seconds in found.items()}))


if __name__ == "__main__":
    main()
