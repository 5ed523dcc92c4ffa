"""How long each method takes to combine experts, against the linear mixture, and SVD methods against their SVDs alone.

    python benchmarks/methods.py --shape small --methods wise_ft lines ties
    python benchmarks/methods.py --shape base --methods tsv_m --svds 7

`first` is the first candidate's time, with what the method finds before; `next` a further candidate's. Medians of
interleaved rounds; `--svds N` also takes N singular value decompositions of every matrix by torch.linalg.svd.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from shapes import SHAPES, model_of

from dfwe.config.instantiate import bind
from dfwe.config.merges import option
from dfwe.merging.base import MergeMethod
from dfwe.merging.engine import prepare_merge
from dfwe.merging.expert_array import ExpertArray, Layout
from dfwe.merging.methods.linear import Linear


def main() -> None:
    options = _options()
    layout = Layout.of(model_of(options.shape))
    experts = _experts(layout, num=options.experts)
    out = torch.empty(1, layout.size)[0]
    named: dict[str, MergeMethod] = {
        name: bind(option(name, search="nelder_mead", budget=1)["method"]) for name in options.methods
    }
    for name, method in named.items():
        print(json.dumps({"method": name, **_measured(method, experts, out=out, rounds=options.rounds)}), flush=True)
    if options.svds:
        print(json.dumps({"svds": options.svds, "seconds": round(_svds(layout, times=options.svds), 1)}))


def _measured(method: MergeMethod, experts: ExpertArray, *, out: torch.Tensor, rounds: int) -> dict[str, float]:
    equal = np.full((1, len(experts.names)), 1.0 / len(experts.names))
    linear, other = prepare_merge(Linear(), experts), prepare_merge(method, experts)
    linear(equal, {}, out)
    first = _seconds(lambda: other(equal, {}, out))
    pairs = [(_seconds(lambda: linear(equal, {}, out)), _seconds(lambda: other(equal, {}, out))) for _ in range(rounds)]
    return {
        "first s": round(first, 3),
        "next s": round(statistics.median(own for _, own in pairs), 3),
        "times linear": round(statistics.median(own / plain for plain, own in pairs), 2),
    }


def _experts(layout: Layout, *, num: int) -> ExpertArray:
    generator = torch.Generator().manual_seed(0)
    rows = torch.empty(num + 1, layout.size)
    rows.normal_(std=0.02, generator=generator)
    rows[:num].mul_(0.1).add_(rows[num])
    return ExpertArray(tuple(f"e{place}" for place in range(num)), layout, rows[:num], rows[num])


def _svds(layout: Layout, *, times: int) -> float:
    matrices = [torch.randn(shape) for shape in layout.shapes if len(shape) == 2]
    return times * sum(_seconds(lambda m=matrix: torch.linalg.svd(m, full_matrices=False)) for matrix in matrices)  # type: ignore[misc]


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--experts", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--methods", nargs="+", default=["wise_ft", "task_arithmetic", "lines", "metagpt", "nan_weights"]
    )
    parser.add_argument("--svds", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
