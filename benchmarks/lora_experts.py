"""Memory and time of LoRA experts' merges: as factors, and as whole models, one row of weights each.

    python benchmarks/lora_experts.py [--experts 5] [--rank 16] [--rounds 7] [--methods linear task_arithmetic ties]

A Llama of 135 M parameters with random weights; adapters of all its linear layers. Memory: the peak of a process of its
own with the model and the merges of two candidates, above that of one with the model alone. Time: one process with
both, interleaved; `first` is the first candidate's, with what the method finds before, `next` the median of further
ones, `ratio` the median of ratios round by round.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from dfwe.config.instantiate import bind
from dfwe.config.merges import option
from dfwe.merging.base import MergeMethod
from dfwe.merging.engine import WriteMerge, prepare_merge
from dfwe.merging.expert_array import ExpertArray, Layout, load_experts
from dfwe.models.adapters import ADAPTER, Factors, save_factors

SHAPE = {
    "num_hidden_layers": 30,
    "hidden_size": 576,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}
FORMS = ("factors", "rows")


def main() -> None:
    """Measures and prints."""
    options = _options()
    if options.form is not None:
        _peak(options)
        return
    layout = _layout()
    flat = _weights(layout)
    with tempfile.TemporaryDirectory() as folder:
        folders = _adapters(Path(folder), layout=layout, options=options)
        on_disk = sum((path / ADAPTER).stat().st_size for path in folders)
        print(
            json.dumps(
                {
                    "parameters": layout.size,
                    "MB on disk": _mb(on_disk),
                    "as models": _mb(4 * layout.size * options.experts),
                }
            )
        )
        parent = flat.clone()
        factors = load_experts({path.name: path for path in folders}, layout=layout, parent=parent)
        for name in options.methods:
            peaks = {form: _peak_of(name, form=form, folder=folder, options=options) for form in FORMS}
            line = {"method": name, **{f"{form} MB above the model": peak for form, peak in peaks.items()}}
            print(json.dumps(line), flush=True)
        rows = ExpertArray(factors.names, layout, torch.empty(options.experts, layout.size), parent)
        for place, row in enumerate(rows.weights):
            factors.write_expert(place, out=row)
        for name in options.methods:
            print(
                json.dumps({"method": name, **_times(_method(name), factors, rows, out=flat, options=options)}),
                flush=True,
            )


def _times(
    method: MergeMethod, factors: ExpertArray, rows: ExpertArray, *, out: torch.Tensor, options: argparse.Namespace
) -> dict[str, float]:
    writes = [prepare_merge(method, array) for array in (factors, rows)]
    points = _points(options)
    first = [_seconds(partial(write, points[0], {}, out)) for write in writes]
    results = []
    for write in writes:
        write(points[1], {}, out)
        results.append(out.clone())
    pairs = [tuple(_seconds(partial(write, point, {}, out)) for write in writes) for point in points]
    return {
        "factors first s": round(first[0], 3),
        "rows first s": round(first[1], 3),
        "factors next s": round(statistics.median(pair[0] for pair in pairs), 3),
        "rows next s": round(statistics.median(pair[1] for pair in pairs), 3),
        "ratio": round(statistics.median(pair[0] / pair[1] for pair in pairs), 2),
        "largest difference": float((results[0] - results[1]).abs().max()),
    }


def _peak_of(method: str, *, form: str, folder: str, options: argparse.Namespace) -> int:
    """Return MB above those of a process with the model alone."""

    def peak(form: str) -> int:
        command = [sys.executable, __file__, "--form", form, "--folder", folder, "--methods", method]
        command += ["--experts", str(options.experts), "--rank", str(options.rank)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return peak(form) - peak("model")


def _peak(options: argparse.Namespace) -> None:
    """Print the peak in MB of this process: the model, and the experts in that form with two candidates."""
    layout, method = _layout(), _method(options.methods[0])
    flat = _weights(layout)
    if options.form != "model":
        write = _write(options, layout=layout, flat=flat, method=method)
        for point in _points(options)[:2]:
            write(point, {}, flat)
    status = Path("/proc/self/status").read_text()  # ru_maxrss begins with that of the process that started this one
    print(_mb(1024 * int(re.findall(r"VmHWM:\s+(\d+)", status)[0])))


def _write(options: argparse.Namespace, *, layout: Layout, flat: torch.Tensor, method: MergeMethod) -> WriteMerge:
    if options.form == "factors":
        folders = sorted(Path(options.folder).iterdir())
        array = load_experts({path.name: path for path in folders}, layout=layout, parent=flat.clone())
    else:
        parent = flat.clone() if method.properties.needs_parent else None
        rows = torch.empty(options.experts, layout.size).normal_()
        array = ExpertArray(tuple(map(str, range(options.experts))), layout, rows, parent)
    return prepare_merge(method, array)


def _adapters(folder: Path, *, layout: Layout, options: argparse.Namespace) -> list[Path]:
    folders = []
    generator = torch.Generator().manual_seed(0)
    for number in range(options.experts):
        folders.append(folder / f"lora_{number}")
        folders[-1].mkdir()
        save_factors(folders[-1], _factors(layout, rank=options.rank, generator=generator))
    return folders


def _factors(layout: Layout, *, rank: int, generator: torch.Generator) -> dict[str, Factors]:
    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.02

    shapes = zip(layout.names, layout.shapes, strict=True)
    return {
        name: Factors(draw(rank, shape[1]), draw(shape[0], rank), 1.0, False)
        for name, shape in shapes
        if name.endswith("proj.weight")
    }


def _points(options: argparse.Namespace) -> list[np.ndarray]:
    draws = np.random.default_rng(0)
    return [draws.dirichlet(np.ones(options.experts))[None] for _ in range(options.rounds)]


def _layout() -> Layout:
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**SHAPE))
    model.tie_weights()
    return Layout.of(model)


def _weights(layout: Layout) -> torch.Tensor:
    """Return a model's buffer, of random numbers."""
    return torch.empty(layout.size).normal_(std=0.02, generator=torch.Generator().manual_seed(1))


def _method(name: str) -> MergeMethod:
    method: MergeMethod = bind(option(name, search="nelder_mead", budget=1)["method"])
    return method


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _mb(num_bytes: int) -> int:
    return round(num_bytes / 2**20)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experts", type=int, default=5)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--methods", nargs="+", default=["linear", "task_arithmetic", "ties"])
    parser.add_argument("--form", choices=("model", *FORMS))
    parser.add_argument("--folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
