"""A candidate of a search over five decoders: in memory, against the way through files; interleaved.

    make interop && python benchmarks/search_from_files.py [--rounds 3] [--prompts 100] [--folder FOLDER]

Five Llamas of SmolLM2's shape (135 M, float32, random weights near each other), prompts of 40 to 100 tokens, 7 labels
of 1 to 3 tokens. Through files: mergekit writes the merge, Transformers loads it, and each label is scored in a pass of
its own, 8 rows at once, as evaluation harnesses do. Ours: the merge is written into the model, and all labels of a
prompt are scored in one pass. Prints medians of seconds and ratios, the peak of our memory over what the experts and
one model take, and whether both choose the same labels.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from causal_labels import END, draw_work, model_of, packed
from combine import MERGEKIT, ROOT, run
from torch.nn import functional
from transformers import LlamaForCausalLM

from dfwe.api import load_experts, merge

NUM_EXPERTS, BATCH, MAX_TOKENS = 5, 8, 1024
LENGTHS = (40, 100)


def write_experts(folder: Path) -> None:
    """Write models near each other, without tokenizers."""
    model = model_of(None)
    with torch.no_grad():
        for number in range(NUM_EXPERTS):
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.002)
            model.save_pretrained(folder / f"m{number}")


def through_files(
    folder: Path, weights: Sequence[float], prompts: list[list[int]], labels: list[list[int]]
) -> list[int]:
    """Return the labels that a merge chooses which mergekit wrote."""
    lines = ["merge_method: linear", "dtype: float32", "models:"]
    for number, weight in enumerate(weights):
        lines += [f"  - model: m{number}", f"    parameters: {{weight: {weight}}}"]
    (folder / "recipe.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run([str(MERGEKIT), "--no-write-model-card", "recipe.yaml", "merged"], folder=folder)
    model = LlamaForCausalLM.from_pretrained(folder / "merged", dtype=torch.float32).eval()
    return pass_per_label_in_batches(model, prompts, labels)


def pass_per_label_in_batches(model: Any, prompts: list[list[int]], labels: list[list[int]]) -> list[int]:
    """Return each prompt's most likely label, every pair of prompt and label a row; the longest first."""
    rows = [(place, prompt, number) for place, prompt in enumerate(prompts) for number in range(len(labels))]
    rows.sort(key=lambda row: -len(row[1]) - len(labels[row[2]]))
    scores = np.zeros((len(prompts), len(labels)))
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        texts = [[*prompt, *labels[number]] for _, prompt, number in batch]
        longest = max(map(len, texts))
        ids = torch.tensor([[*text, *[END] * (longest - len(text))] for text in texts])
        with torch.inference_mode():
            logits = model(
                input_ids=ids, attention_mask=(torch.arange(longest) < torch.tensor([[len(t)] for t in texts])).long()
            ).logits
        for row, (place, prompt, number) in enumerate(batch):
            answer = torch.tensor(labels[number])
            part = logits[row, len(prompt) - 1 : len(prompt) - 1 + len(answer)]
            scores[place, number] = -float(functional.cross_entropy(part, answer, reduction="sum"))
    return [int(row.argmax()) for row in scores]


def peak_memory() -> float:
    """Return the peak of this process's memory, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Print one JSON line per round and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--candidates", type=int, default=40, help="that are scored in memory first, for the peak")
    parser.add_argument("--folder", type=Path, help="where temporary files go (4 GB); default: the system's")
    options = parser.parse_args()
    prompts, labels = draw_work(options.prompts, lengths=LENGTHS)
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_experts(folder)
        model: Any = LlamaForCausalLM.from_pretrained(folder / "m0", dtype=torch.float32).eval()
        before = peak_memory()
        experts = load_experts([str(folder / f"m{number}") for number in range(NUM_EXPERTS)], model=model)

        def in_memory(weights: Sequence[float]) -> list[int]:
            merge(model, experts, weights)
            return packed(model, prompts, labels, max_tokens=MAX_TOKENS)

        start = time.perf_counter()
        for _ in range(options.candidates):
            in_memory(generator.dirichlet(np.ones(NUM_EXPERTS)).tolist())
        size = sum(parameter.nbytes for parameter in model.parameters()) / 2**30
        print(
            json.dumps(
                {
                    "candidates in memory": options.candidates,
                    "seconds": round(time.perf_counter() - start, 1),
                    "peak GB": round(peak_memory(), 2),
                    "experts and one model, GB": round((NUM_EXPERTS + 1) * size, 2),
                    "peak before the experts were loaded, GB": round(before, 2),
                }
            ),
            flush=True,
        )
        if not MERGEKIT.exists():
            raise SystemExit(f"{MERGEKIT.relative_to(ROOT)} is missing: run `make interop` for the way through files")
        compare(folder, in_memory, prompts, labels, rounds=options.rounds, generator=generator)


def compare(
    folder: Path, in_memory: Any, prompts: list[list[int]], labels: list[list[int]], *, rounds: int, generator: Any
) -> None:
    """Time both ways with the same coefficients in turn."""
    ratios, same = [], 0
    for _ in range(rounds):
        weights = generator.dirichlet(np.ones(NUM_EXPERTS)).round(4).tolist()
        seconds, answers = [], []
        for way in (in_memory, lambda w: through_files(folder, w, prompts, labels)):
            start = time.perf_counter()
            answers.append(way(weights))
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[1] / seconds[0])
        same += sum(a == b for a, b in zip(*answers, strict=True))
        print(json.dumps({"ours": round(seconds[0], 2), "through files": round(seconds[1], 2)}), flush=True)
    print(f"times faster: {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")
    print(f"same labels: {same} of {rounds * len(prompts)}")


if __name__ == "__main__":
    main()
