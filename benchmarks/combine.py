"""From five files to one: `mergekit-yaml` against `dfwe merge`, interleaved, each a process of its own.

    make interop && python benchmarks/combine.py [--shape small|base] [--rounds 5] [--shards 100MB] [--folder FOLDER]

Five Flan-T5 of that shape with random weights (float32, about 1 GB each for base), a linear recipe, files in the page
cache. Prints the medians of the ratios taken round by round, the peak of each side's anonymous memory (mapped files
are the page cache's), the share of a limit measured in the same round (the files read at the memory's bandwidth, the
result copied into the page cache; with and without the start of python and torch) and whether both results agree.
Without `.venv-interop` only our side is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from merge import seconds
from safetensors import safe_open
from shapes import SHAPES, model_of

ROOT = Path(__file__).resolve().parents[1]
MERGEKIT = ROOT / ".venv-interop" / "bin" / "mergekit-yaml"
WEIGHTS = (0.3, 0.25, 0.2, 0.15, 0.1)
FILE = "model.safetensors"
PERIOD = 0.01  # seconds between looks at a process's memory


@dataclass(frozen=True)
class Run:
    """What one process took."""

    seconds: float
    cpu_seconds: float
    anonymous: float  # GB, at its peak


def write_models(folder: Path, *, shape: str, shards: str) -> None:
    """Five models, in shards of at most that size, and their recipe."""
    model = model_of(shape)
    with torch.no_grad():
        for number in range(len(WEIGHTS)):
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.02)
            model.save_pretrained(folder / f"m{number}", max_shard_size=shards)
    lines = ["merge_method: linear", "dtype: float32", "models:"]
    for number, weight in enumerate(WEIGHTS):
        lines += [f"  - model: m{number}", f"    parameters: {{weight: {weight}}}"]
    (folder / "recipe.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(command: list[str], *, folder: Path) -> Run:
    """One process from its start to its end, in that folder; stops the benchmark if it fails."""
    # offline, or asking the network for what is not there would count
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        peak: list[float] = [0.0]
        watch = threading.Thread(target=lambda: watch_memory(process.pid, peak=peak))
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        watch.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{command[0]} failed: {output.read().decode(errors='replace').splitlines()[-1]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, max(peak))


def watch_memory(pid: int, *, peak: list[float]) -> None:
    """Notes the anonymous memory of the process and its children, in GB, until it ends."""
    while (now := anonymous(pid)) is not None:
        peak.append(now)
        time.sleep(PERIOD)


def anonymous(pid: int) -> float | None:
    """The anonymous memory of a process and its children in GB; None when it is over."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    own = [line for line in status.splitlines() if line.startswith("RssAnon:")]
    if not own:  # a zombie has none
        return None
    return int(own[0].split()[1]) / 2**20 + sum(anonymous(int(child)) or 0.0 for child in children)


def ours(folder: Path) -> Run:
    """`dfwe.combine`, its result in `ours`."""
    shutil.rmtree(folder / "ours", ignore_errors=True)
    return run([sys.executable, "-m", "dfwe", "merge", "recipe.yaml", "ours"], folder=folder)


def theirs(folder: Path) -> Run:
    """`mergekit-yaml`, its result in `theirs`."""
    shutil.rmtree(folder / "theirs", ignore_errors=True)
    # the card would ask the network whether each folder is a model of the Hub
    return run([str(MERGEKIT), "--no-write-model-card", "recipe.yaml", "theirs"], folder=folder)


def limit(folder: Path) -> float:
    """Seconds for the bytes alone: five files read from memory, and one copied into the page cache, on all threads."""
    size = sum(file.stat().st_size for file in (folder / "m0").glob("*.safetensors"))
    floats = torch.ones(2**26)
    floats.sum()
    bandwidth = 4 * floats.numel() / min(seconds(floats.sum) for _ in range(5))
    return len(WEIGHTS) * size / bandwidth + min(write(folder / "written", size=size) for _ in range(3))


def write(path: Path, *, size: int) -> float:
    """Seconds to write so many bytes from a block that stays in the caches; the file goes."""
    block = memoryview(bytes(2**21))

    def run_all() -> None:
        list(pool.map(lambda begin: os.pwrite(file.fileno(), block, begin), range(0, size, len(block))))

    with path.open("wb", buffering=0) as file, ThreadPoolExecutor(torch.get_num_threads()) as pool:
        taken = seconds(run_all)
    path.unlink()
    return taken


def difference(folder: Path) -> float:
    """The largest difference between the two results; stops the benchmark where a tensor is missing."""
    files = sorted((folder / "theirs").glob("*.safetensors"))
    worst, seen = 0.0, 0
    with safe_open(folder / "ours" / FILE, framework="pt") as own:
        for file in files:
            with safe_open(file, framework="pt") as other:
                for name in other.keys():  # noqa: SIM118 - no mapping
                    worst = max(worst, float((own.get_tensor(name) - other.get_tensor(name)).abs().max()))
                    seen += 1
        if seen != len(own.keys()):
            sys.exit(f"mergekit wrote {seen} tensors, dfwe {len(own.keys())}")
    return worst


def measure(folder: Path, *, rounds: int) -> None:
    """Runs both sides in turn and prints what they took."""
    both = MERGEKIT.exists()
    if not both:
        print(f"{MERGEKIT.relative_to(ROOT)} is missing (`make interop`): only dfwe.combine is measured", flush=True)
    if both:
        theirs(folder)  # warm
    ours(folder)
    others, own, limits, start = [], [], [], []
    for _ in range(rounds):
        others += [theirs(folder)] if both else []
        own.append(ours(folder))
        limits.append(limit(folder))
        start.append(run([sys.executable, "-c", "import torch"], folder=folder).seconds)
    found: dict[str, float] = {
        "our seconds": statistics.median(each.seconds for each in own),
        "of them python and torch": statistics.median(start),
        "our anonymous GB": max(each.anonymous for each in own),
        "share of the limit": statistics.median(a / b.seconds for a, b in zip(limits, own, strict=True)),
        "share without the start": statistics.median(
            a / (b.seconds - c) for a, b, c in zip(limits, own, start, strict=True)
        ),
    }
    if both:
        ratios = [a.seconds / b.seconds for a, b in zip(others, own, strict=True)]
        found = {
            "times faster": statistics.median(ratios),
            "min": min(ratios),
            "max": max(ratios),
            "times less CPU": statistics.median(
                a.cpu_seconds / b.cpu_seconds for a, b in zip(others, own, strict=True)
            ),
            "mergekit's anonymous GB": max(each.anonymous for each in others),
            **found,
            "largest difference": difference(folder),
        }
    print(json.dumps({name: float(f"{value:.3g}") for name, value in found.items()}))
    if both and difference(folder) > 1e-5:
        sys.exit("the results differ")


def main() -> None:
    """Writes the models, measures, removes everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shards", default="50GB", help="the largest size of an input's shard; default: one file")
    parser.add_argument("--folder", type=Path, help="where temporary files go (base: 8 GB); default: the system's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        write_models(Path(folder), shape=options.shape, shards=options.shards)
        measure(Path(folder), rounds=options.rounds)


if __name__ == "__main__":
    main()
