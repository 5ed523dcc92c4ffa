"""One candidate's evaluation: the benchmark's own way, the obvious way, and ours, interleaved on the same work.

    python benchmarks/candidate.py [--shape small|base] [--rounds 3] [--prompts 24] [--eval-tokens 4096] [--threads N]

A Flan-T5 of that shape with random weights, prompts of 200 to 400 tokens, 7 labels of 1 or 2 tokens; free text of at
most 20 tokens, some of which are made ends, so that answers differ in length. Prints medians of the ratios taken round
by round, and whether the answers agree.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, T5Config

from dfwe.data.batching import token_batches
from dfwe.data.datamodule import pad
from dfwe.evaluation.encoder import encode
from dfwe.evaluation.generate import greedy
from dfwe.evaluation.labels import best_candidates, candidate_log_likelihoods
from dfwe.evaluation.trie import PackedTries

SHAPES = {
    "small": {"d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 8, "num_heads": 6},
    "base": {"d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 12, "num_heads": 12},
}
LABELS = [[1001, 1], [2002, 2003, 1], [3003, 1], [4004, 4005, 1], [5005, 1], [6006, 1], [7007, 7008, 1]]
BATCH = 8  # the usual way's, in the order of the file
NEW = 20
Prompts = list[list[int]]


def model_of(shape: str) -> Any:
    """A model of that shape with random weights, the head's its own."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=32128,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
        decoder_start_token_id=0,
        **SHAPES[shape],
    )
    model = AutoModelForSeq2SeqLM.from_config(config).eval()
    # as in Flan-T5's files; from_config ties them whatever the configuration says
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.05)
    model.generation_config.decoder_start_token_id = 0
    return model


def prompts_of(number: int) -> Prompts:
    """Random prompts."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(200, 401, (number,), generator=generator).tolist()
    return [torch.randint(10, 32000, (length,), generator=generator).tolist() for length in lengths]


def batch_of(prompts: Prompts, members: Sequence[int]) -> dict[str, Tensor]:
    """Those prompts as tensors."""
    rows = [prompts[i] for i in members]
    return {"input_ids": pad(rows, value=0), "attention_mask": pad([[1] * len(row) for row in rows], value=0)}


def in_order(prompts: Prompts) -> list[list[int]]:
    """Batches in the order of the file."""
    return [list(range(start, min(start + BATCH, len(prompts)))) for start in range(0, len(prompts), BATCH)]


def reference(model: Any, prompts: Prompts, *, max_new_tokens: int) -> list[list[int]]:
    """The benchmark's code: the loss, then sampling with two beams and a repetition penalty."""
    answers: list[list[int]] = []
    for members in in_order(prompts):
        batch = batch_of(prompts, members)
        model(**batch, labels=torch.tensor([LABELS[0]] * len(members)))
        ids = model.generate(
            **batch, do_sample=True, num_beams=2, repetition_penalty=5.0, max_new_tokens=max_new_tokens
        )
        answers += ids.tolist()
    return answers


def teacher_forced(model: Any, prompts: Prompts) -> list[int]:
    """One pass a label."""
    best: list[int] = []
    for members in in_order(prompts):
        batch, scores = batch_of(prompts, members), []
        for label in LABELS:
            targets = torch.tensor([label] * len(members))
            logits = model(**batch, labels=targets).logits
            scores.append(logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0].sum(1))
        best += torch.stack(scores).argmax(0).tolist()
    return best


def ours(model: Any, prompts: Prompts, *, max_tokens: int) -> list[int]:
    """Sorted token-budget batches, one decoder pass over the labels' tree."""
    best = [0] * len(prompts)
    for members in token_batches([len(prompt) for prompt in prompts], max_tokens=max_tokens):
        tries = PackedTries.of([LABELS] * len(members))
        scores = candidate_log_likelihoods(model, **batch_of(prompts, members), tries=tries, encode=encode)
        for index, label in zip(members, best_candidates(scores, sizes=[len(LABELS)] * len(members)), strict=True):
            best[index] = label
    return best


def generated(model: Any, prompts: Prompts) -> list[list[int]]:
    """Transformers' greedy text, in batches in the order of the file."""
    answers: list[list[int]] = []
    for members in in_order(prompts):
        ids = model.generate(**batch_of(prompts, members), do_sample=False, num_beams=1, max_new_tokens=NEW)
        answers += ids[:, 1:].tolist()
    return [_ended(model, answer) for answer in answers]


def our_text(model: Any, prompts: Prompts, *, max_tokens: int) -> list[list[int]]:
    """Our greedy text."""
    answers: list[list[int]] = [[] for _ in prompts]
    for members in token_batches([len(prompt) for prompt in prompts], max_tokens=max_tokens):
        ids = greedy(model, **batch_of(prompts, members), max_new_tokens=NEW, encode=encode)
        for index, answer in zip(members, ids.tolist(), strict=True):
            answers[index] = _ended(model, answer)
    return answers


def _ended(model: Any, answer: list[int]) -> list[int]:
    padding = model.generation_config.pad_token_id
    return [token for token in answer if token != padding]


def let_answers_end(model: Any, prompts: Prompts) -> None:
    """Makes tokens that random weights say in the middle of answers end them."""
    model.generation_config.eos_token_id = 1
    texts = torch.tensor([answer + [0] * (NEW - len(answer)) for answer in generated(model, prompts[:BATCH])])
    model.generation_config.eos_token_id = [1, *sorted(set(texts[:, 3:9].flatten().tolist()))[:12]]


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and the result."""
    begun = time.perf_counter()
    result = function()
    return time.perf_counter() - begun, result


def compare(name: str, usual: Callable[[], Any], own: Callable[[], Any], *, rounds: int) -> tuple[Any, Any]:
    """Prints how many times faster the second is; gives both results."""
    usual(), own()  # warm
    ratios, seconds = [], []
    for _ in range(rounds):
        (first, one), (second, other) = timed(usual), timed(own)
        ratios.append(first / second)
        seconds.append(second)
    print(
        json.dumps(
            {
                "what": name,
                "times faster": round(statistics.median(ratios), 2),
                "min": round(min(ratios), 2),
                "max": round(max(ratios), 2),
                "our seconds": round(statistics.median(seconds), 2),
            }
        ),
        flush=True,
    )
    return one, other


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--eval-tokens", type=int, default=4096)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    model, prompts, budget, rounds = (
        model_of(options.shape),
        prompts_of(options.prompts),
        options.eval_tokens,
        options.rounds,
    )
    with torch.inference_mode():
        compare(
            "classification, against the benchmark's way",
            lambda: reference(model, prompts, max_new_tokens=3),
            lambda: ours(model, prompts, max_tokens=budget),
            rounds=rounds,
        )
        one, other = compare(
            "classification, against a pass per label",
            lambda: teacher_forced(model, prompts),
            lambda: ours(model, prompts, max_tokens=budget),
            rounds=rounds,
        )
        print(json.dumps({"same labels": sum(a == b for a, b in zip(one, other, strict=True)), "of": len(prompts)}))
        let_answers_end(model, prompts)
        compare(
            "free text, against the benchmark's way",
            lambda: reference(model, prompts, max_new_tokens=NEW),
            lambda: our_text(model, prompts, max_tokens=budget),
            rounds=rounds,
        )
        one, other = compare(
            "free text, against generate",
            lambda: generated(model, prompts),
            lambda: our_text(model, prompts, max_tokens=budget),
            rounds=rounds,
        )
        print(json.dumps({"same texts": sum(a == b for a, b in zip(one, other, strict=True)), "of": len(prompts)}))


if __name__ == "__main__":
    main()
