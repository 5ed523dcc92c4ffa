"""One merge in memory: the usual state-dict loop against ours, beside the machine's memory bandwidth in the same run.

    python benchmarks/merge.py [--shape small|base] [--experts 5] [--rounds 7] [--threads N]

Random weights of that shape. Prints the median ratio, the share of the triad bandwidth (n experts read and one model
written, over the time), what the process grew by, and whether a vertex gives its expert bit for bit.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from shapes import SHAPES, model_of

from dfwe.merging.engine import prepare_merge
from dfwe.merging.expert_array import ExpertArray, Layout, flatten
from dfwe.merging.methods.linear import Linear


def seconds(function: Callable[[], Any]) -> float:
    """How long one call takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def triad(size: int) -> Callable[[], None]:
    """a = b + 2 c over three arrays of that many floats."""
    a, b, c = (torch.ones(size) for _ in range(3))

    def run() -> None:
        torch.add(b, c, alpha=2.0, out=a)

    return run


def peak() -> float:
    """The process's largest resident memory so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--experts", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    model = model_of(options.shape)
    layout, num = Layout.of(model), options.experts
    weights = torch.empty(num, layout.size).normal_()
    names = tuple(f"e{i}" for i in range(num))
    states = [layout.views(row) for row in weights]
    alphas = torch.full((num,), 1.0 / num)
    flat = flatten(model)
    combine = prepare_merge(Linear(), ExpertArray(names, layout, weights))

    def usual() -> None:
        merged = {
            name: sum(float(a) * state[name] for a, state in zip(alphas, states, strict=True)) for name in layout.names
        }
        model.load_state_dict(merged, strict=False)

    def ours() -> None:
        combine(alphas.numpy()[None], {}, flat)

    stream = triad(layout.size)
    for function in (usual, ours, stream):
        function()
    before = peak()
    for _ in range(3):
        ours()
    grown = peak() - before
    rounds = [[seconds(function) for function in (usual, ours, stream)] for _ in range(options.rounds)]
    bandwidths = [3 * 4 * layout.size / s for _, _, s in rounds]
    shares = [(num + 1) * 4 * layout.size / own / b for (_, own, _), b in zip(rounds, bandwidths, strict=True)]
    exact = []
    for row, vertex in zip(weights, np.eye(num), strict=True):
        combine(vertex[None], {}, flat)
        exact.append(torch.equal(flat, row))
    print(
        json.dumps(
            {
                "shape": options.shape,
                "parameters": layout.size,
                "times faster than the state-dict loop": round(statistics.median(u / o for u, o, _ in rounds), 2),
                "our milliseconds": round(1000 * statistics.median(o for _, o, _ in rounds), 1),
                "share of triad bandwidth": round(statistics.median(shares), 2),
                "triad GB/s": round(statistics.median(bandwidths) / 1e9, 1),
                "grown by (GB)": round(grown, 3),
                "a vertex is its expert": all(exact),
            }
        )
    )


if __name__ == "__main__":
    main()
