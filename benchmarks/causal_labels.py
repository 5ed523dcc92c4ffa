"""Labels of decoder-only models: one packed pass, against a pass per label and one `generate` per prompt, interleaved.

    python benchmarks/causal_labels.py [--rounds 3] [--prompts 24] [--max-tokens 1024] [--folder FOLDER]

A Llama of SmolLM2's shape (135 M) with random weights, or the model in `--folder`; prompts of 100 to 200 tokens, 7
labels of 1 to 3 tokens. Prints medians of seconds, of the ratios taken round by round, and whether the labels agree.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from dfwe.families.batching import token_batches
from dfwe.families.causal_lm.asking import CausalInference, left_padded
from dfwe.families.causal_lm.labels import teacher_forced_log_likelihoods
from dfwe.families.fast.kernels import HalfCopy, fast_kernels
from dfwe.families.text.reader import best_candidates
from dfwe.families.text.trie import PackedTries

END = 2
NUM_LABELS, NEW = 7, 4


def model_of(folder: Path | None) -> Any:
    """The model in the folder, or a random one of SmolLM2's shape."""
    if folder is not None:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        intermediate_size=1536,
        tie_word_embeddings=True,
        pad_token_id=END,
        eos_token_id=END,
        bos_token_id=1,
    )
    return LlamaForCausalLM(config).eval()


def draw_work(num_prompts: int, *, lengths: tuple[int, int] = (100, 200)) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts of these lengths and labels, the labels with their end token."""
    generator = torch.Generator().manual_seed(1)

    def draw(length: int) -> list[int]:
        ids: list[int] = torch.randint(3, 40_000, (length,), generator=generator).tolist()
        return ids

    drawn = torch.randint(lengths[0], lengths[1] + 1, (num_prompts,), generator=generator).tolist()
    return [draw(length) for length in drawn], [[*draw(1 + place % 3), END] for place in range(NUM_LABELS)]


def packed(model: Any, prompts: Sequence[list[int]], labels: list[list[int]], *, max_tokens: int) -> list[int]:
    """Each prompt's label as a study finds it."""
    inference, answers = CausalInference(), [0] * len(prompts)
    with torch.inference_mode(), fast_kernels(model):
        for members in token_batches([len(prompt) for prompt in prompts], max_tokens=max_tokens):
            inputs = left_padded([prompts[place] for place in members], pad_id=END)
            tries = PackedTries.of([labels] * len(members))
            scores = inference.candidate_log_likelihoods(model, tries=tries, **inputs)
            best = best_candidates(scores, sizes=[len(labels)] * len(members))
            for place, label in zip(members, best, strict=True):
                answers[place] = label
    return answers


def pass_per_label(model: Any, prompts: Sequence[list[int]], labels: list[list[int]]) -> list[int]:
    """Each prompt's label by a teacher-forced pass per label."""
    answers = []
    with torch.inference_mode():
        for prompt in prompts:
            inputs = left_padded([prompt], pad_id=END)
            scores = teacher_forced_log_likelihoods(model, tries=PackedTries.of([labels]), **inputs)
            answers.append(int(scores.argmax()))
    return answers


def generate(model: Any, prompts: Sequence[list[int]], labels: list[list[int]]) -> list[int]:
    """A text per prompt, as those do who parse answers; what it says is not compared."""
    with torch.inference_mode():
        for prompt in prompts:
            inputs = left_padded([prompt], pad_id=END)
            model.generate(**inputs, do_sample=False, max_new_tokens=NEW, min_new_tokens=NEW, pad_token_id=END)
    return []


def main() -> None:
    """Print one JSON line per round and the medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    model, (prompts, labels) = model_of(options.folder), draw_work(options.prompts)
    half = HalfCopy()
    ways: dict[str, Callable[[], list[int]]] = {
        "packed": lambda: packed(model, prompts, labels, max_tokens=options.max_tokens),
        "packed, bfloat16": lambda: packed(half.of(model), prompts, labels, max_tokens=options.max_tokens),
        "pass per label": lambda: pass_per_label(model, prompts, labels),
        "generate": lambda: generate(model, prompts, labels),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, list[int]] = {}
    for _ in range(options.rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            answers[name] = way()
            seconds[name].append(time.perf_counter() - start)
        print(json.dumps({name: round(times[-1], 2) for name, times in seconds.items()}), flush=True)
    print("medians", {name: round(statistics.median(times), 2) for name, times in seconds.items()})
    for name in ("pass per label", "generate"):
        ratios = [other / ours for other, ours in zip(seconds[name], seconds["packed"], strict=True)]
        print(f"{name} / packed: {statistics.median(ratios):.1f}")
    same = sum(a == b for a, b in zip(answers["packed"], answers["pass per label"], strict=True))
    print(f"same labels as a pass per label: {same} of {len(prompts)}")


if __name__ == "__main__":
    main()
