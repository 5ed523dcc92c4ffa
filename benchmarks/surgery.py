"""Gradient surgery against as many plain backward passes: seconds, and memory in gradients.

    python benchmarks/surgery.py [--rounds 9] [--batch 16] [--length 24] [--threads 1]

An encoder of MiniLM's shape with random weights and three heads: one task of sentences, two of pairs. Forward passes
are not timed. `plain` lets the three gradients add up in place, with their weights. Medians of the ratios taken round
by round, the ways in turn. Memory is the resident peak of a process of its own over that of `plain`, in gradients of
the model, on batches so small that activations do not count; T gradients in all are T - 1 more than `plain` holds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import BertConfig, BertModel

from dfwe.families.encoder.gradient_surgery import Surgery
from dfwe.families.multi_head.heads.base import HeadSpec
from dfwe.families.multi_head.heads.classification import Classification
from dfwe.families.multi_head.heads.pair_classification import PairClassification
from dfwe.families.multi_head.heads.similarity import SimilarityHead
from dfwe.families.multi_head.model import MultiHead

WEIGHTS = {"sentiment": 0.5, "paraphrase": 1.0, "similarity": 1.0}
Losses = list[Tensor]


def model() -> MultiHead:
    """The encoder and the paper's heads, with random weights."""
    torch.manual_seed(0)
    shape = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    features = ["u", "v", "abs_difference", "product"]
    specs: dict[str, tuple[HeadSpec, list[str]]] = {
        "sentiment": (Classification(["a"], "pooler", 0.3), list("12345")),
        "paraphrase": (PairClassification(["a", "b"], "mean", 0.3, hidden=256, features=features), ["no", "yes"]),
        "similarity": (SimilarityHead(["a", "b"], "mean", 0.3, hidden=128, squash="clamp", k=0.9, low=0, high=5), []),
    }
    heads = {task: spec.build(width=384, labels=labels) for task, (spec, labels) in specs.items()}
    return MultiHead(BertModel(BertConfig(**shape)), heads=heads).train()


def losses(trained: MultiHead, options: argparse.Namespace) -> Losses:
    """One batch's loss by task, ready to go back through."""
    found = []
    for task in WEIGHTS:
        rows = options.batch * trained.head(task).num_sentences
        tokens = torch.randint(1000, 30000, (rows, options.length))
        batch = {"task": task, "input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        gold = torch.randint(2, (options.batch,)).float()
        found.append(trained.head(task).losses(trained(batch), gold).mean())
    return found


def plain(trained: MultiHead, found: Losses) -> None:
    """T backward passes."""
    for loss, weight in zip(found, WEIGHTS.values(), strict=True):
        torch.autograd.backward(weight * loss)


def operated(trained: MultiHead, found: Losses, *, scope: str) -> None:
    """T backward passes and surgery, as `MultiTask` does it."""
    gradients = []
    for loss in found:
        torch.autograd.backward(loss)
        gradients.append([parameter.grad for parameter in trained.parameters()])
        trained.zero_grad()
    combined = Surgery(scope, seed=0).combine(gradients, weights=list(WEIGHTS.values()), epoch=0, batch=0)
    for parameter, gradient in zip(trained.parameters(), combined, strict=True):
        parameter.grad = gradient


WAYS: dict[str, Callable[[MultiHead, Losses], None]] = {
    "plain": plain,
    "parameter": lambda trained, found: operated(trained, found, scope="parameter"),
    "whole": lambda trained, found: operated(trained, found, scope="whole"),
}


def seconds(way: str, trained: MultiHead, options: argparse.Namespace) -> float:
    """Of one step's gradient, without the forward passes."""
    trained.zero_grad()
    found = losses(trained, options)
    begun = time.perf_counter()
    WAYS[way](trained, found)
    return time.perf_counter() - begun


def peak(way: str) -> int:
    """Bytes that this process had resident at most, in two steps on two examples of four tokens."""
    torch.set_num_threads(1)
    trained = model()
    for _ in range(2):
        seconds(way, trained, argparse.Namespace(batch=2, length=4))
    status = Path("/proc/self/status").read_text(encoding="utf8")  # getrusage also counts what the parent had
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def main() -> None:
    """Measures and prints."""
    options = _options()
    torch.set_num_threads(options.threads)
    trained = model()
    gradient = 4 * sum(parameter.numel() for parameter in trained.parameters())
    timed: dict[str, list[float]] = {way: [] for way in WAYS}
    for turn in range(1 + options.rounds):
        for way, times in timed.items():
            took = seconds(way, trained, options)
            times.extend([took] if turn else [])
    peaks: dict[str, Any] = {}
    for way, times in timed.items():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            peaks[way] = pool.submit(peak, way).result()
        ratios = [own / first for first, own in zip(timed["plain"], times, strict=True)]
        line = {
            "way": way,
            "ms": round(1000 * statistics.median(times), 1),
            "times plain": round(statistics.median(ratios), 3),
            "min": round(min(ratios), 3),
            "max": round(max(ratios), 3),
            "peak MB": round(peaks[way] / 1e6),
            "gradients more": round((peaks[way] - peaks["plain"]) / gradient, 2),
        }
        print(json.dumps(line), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=24)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
