"""One candidate's evaluation: the benchmark's own way, the obvious way, and ours, interleaved on the same work.

    python benchmarks/candidate.py [--shape small|base] [--rounds 3] [--prompts 24] [--eval-tokens 1024] [--threads N]
        [--device cuda]

A Flan-T5 of that shape with random weights, prompts of 200 to 400 tokens, 7 labels of 1 or 2 tokens; free text of at
most 20 tokens, some of which are made ends, so that answers differ in length. The usual ways run in float32, ours in
float32 and with a bfloat16 copy of the weights. Prints medians of the ratios taken round by round, whether the answers
agree, and the share of the speed of large matrix products in the same run that the encoder's products make up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from shapes import SHAPES, Prompts, model_of, prompts_of

from dfwe.families.batching import token_batches
from dfwe.families.fast.kernels import HalfCopy, fast_kernels
from dfwe.families.seq2seq.inference.generate import greedy
from dfwe.families.seq2seq.inference.labels import candidate_log_likelihoods
from dfwe.families.text.reader import best_candidates
from dfwe.families.text.trie import PackedTries
from dfwe.families.tokens import pad

LABELS = [[1001, 1], [2002, 2003, 1], [3003, 1], [4004, 4005, 1], [5005, 1], [6006, 1], [7007, 7008, 1]]
BATCH = 8  # the usual way's, in the order of the file
NEW = 20


def batch_of(prompts: Prompts, members: Sequence[int], *, device: torch.device) -> dict[str, Any]:
    """Those prompts as tensors."""
    rows = [prompts[i] for i in members]
    masks = [[1] * len(row) for row in rows]
    return {"input_ids": pad(rows, value=0).to(device), "attention_mask": pad(masks, value=0).to(device)}


def in_order(prompts: Prompts) -> list[list[int]]:
    """Batches in the order of the file."""
    return [list(range(start, min(start + BATCH, len(prompts)))) for start in range(0, len(prompts), BATCH)]


def reference(model: Any, prompts: Prompts, *, max_new_tokens: int) -> list[list[int]]:
    """The benchmark's code: the loss, then sampling with two beams and a repetition penalty."""
    answers: list[list[int]] = []
    for members in in_order(prompts):
        batch = batch_of(prompts, members, device=model.device)
        model(**batch, labels=torch.tensor([LABELS[0]] * len(members), device=model.device))
        ids = model.generate(
            **batch, do_sample=True, num_beams=2, repetition_penalty=5.0, max_new_tokens=max_new_tokens
        )
        answers += ids.tolist()
    return answers


def teacher_forced(model: Any, prompts: Prompts) -> list[int]:
    """One pass a label."""
    best: list[int] = []
    for members in in_order(prompts):
        batch, scores = batch_of(prompts, members, device=model.device), []
        for label in LABELS:
            targets = torch.tensor([label] * len(members), device=model.device)
            logits = model(**batch, labels=targets).logits
            scores.append(logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0].sum(1))
        best += torch.stack(scores).argmax(0).tolist()
    return best


def generated(model: Any, prompts: Prompts) -> list[list[int]]:
    """Transformers' greedy text, in batches in the order of the file."""
    answers: list[list[int]] = []
    for members in in_order(prompts):
        batch = batch_of(prompts, members, device=model.device)
        ids = model.generate(**batch, do_sample=False, num_beams=1, max_new_tokens=NEW)
        answers += ids[:, 1:].tolist()
    return [_ended(model, answer) for answer in answers]


class Ours:
    """Our ways with one model: sorted token-budget batches, made once, and the product's kernels."""

    def __init__(self, prompts: Prompts, *, max_tokens: int, device: torch.device) -> None:
        self._number, self._half = len(prompts), HalfCopy()
        self._max_tokens, lengths = max_tokens, [len(prompt) for prompt in prompts]

        def batches(tokens: int) -> list[tuple[list[int], dict[str, Any]]]:
            groups = token_batches(lengths, max_tokens=tokens)
            return [(members, batch_of(prompts, members, device=device)) for members in groups]

        self._batches, self._text_batches = batches(max_tokens), batches(16 * max_tokens)
        self._tries = [PackedTries.of([LABELS] * len(members)).to(device) for members, _ in self._batches]

    def labels(self, model: Any, *, half: bool = False) -> list[int]:
        """The best label of each prompt, by one decoder pass over the labels' tree."""
        best = [0] * self._number
        with self._with(model, half=half) as used:
            for (members, batch), tries in zip(self._batches, self._tries, strict=True):
                scores = candidate_log_likelihoods(used, tries=tries, **batch)
                for index, label in zip(
                    members, best_candidates(scores, sizes=[len(LABELS)] * len(members)), strict=True
                ):
                    best[index] = label
        return best

    def texts(self, model: Any, *, half: bool = False) -> list[list[int]]:
        """Greedy text."""
        answers: list[list[int]] = [[] for _ in range(self._number)]
        with self._with(model, half=half) as used:
            for members, batch in self._text_batches:
                ids = greedy(used, max_new_tokens=NEW, max_tokens=self._max_tokens, **batch)
                for index, answer in zip(members, ids.tolist(), strict=True):
                    answers[index] = _ended(used, answer)
        return answers

    @contextmanager
    def _with(self, model: Any, *, half: bool) -> Iterator[Any]:
        used = self._half.of(model) if half else model
        used.generation_config = model.generation_config
        with fast_kernels(used):
            yield used


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
    _wait()
    begun = time.perf_counter()
    result = function()
    _wait()
    return time.perf_counter() - begun, result


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def compare(
    name: str, ways: dict[str, Callable[[], Any]], *, rounds: int, tokens: int, layers: dict[str, float]
) -> dict[str, Any]:
    """Times all ways round by round, prints how many times faster than the first the others are; gives the results."""
    results = {way: timed(run)[1] for way, run in ways.items()}  # warm
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            seconds[way].append(timed(run)[0])
    usual, *own = ways
    for way in own:
        ratios = [a / b for a, b in zip(seconds[usual], seconds[way], strict=True)]
        line = {
            "what": name,
            "way": way,
            f"times faster than {usual}": round(statistics.median(ratios), 2),
            "min": round(min(ratios), 2),
            "max": round(max(ratios), 2),
            "seconds": round(statistics.median(seconds[way]), 2),
        }
        if way.split(",")[0] in layers:
            share = layers[way.split(",")[0]] * tokens / statistics.median(seconds[way])
            line["share of the products' speed, encoder alone"] = round(share, 2)
        print(json.dumps(line), flush=True)
    return results


def seconds_a_token(model: Any, *, dtype: torch.dtype) -> float:
    """What a token costs in the encoder's matrices at the speed of a large product, measured now."""
    products = sum(
        p.numel() for name, p in model.get_encoder().named_parameters() if p.ndim == 2 and "embed" not in name
    )
    x, w = (torch.randn(2048, 2048, device=model.device, dtype=dtype) for _ in range(2))
    fast = min(timed(lambda: torch.nn.functional.linear(x, w))[0] for _ in range(10))
    return float(products * fast / 2048**3)


def agreement(name: str, one: Sequence[Any], other: Sequence[Any]) -> None:
    """Prints how many are the same."""
    print(json.dumps({"same": name, "number": sum(a == b for a, b in zip(one, other, strict=True)), "of": len(one)}))


def main() -> None:
    """Measures and prints."""
    options = _options()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    model, prompts = model_of(options.shape).to(device), prompts_of(options.prompts)
    ours = Ours(prompts, max_tokens=options.eval_tokens, device=device)
    rounds: dict[str, Any] = {"rounds": options.rounds, "tokens": sum(len(prompt) for prompt in prompts)}
    with torch.inference_mode():
        rounds["layers"] = {
            "float32": seconds_a_token(model, dtype=torch.float32),
            "bfloat16": seconds_a_token(model, dtype=torch.bfloat16),
        }
        own = {"float32": lambda: ours.labels(model), "bfloat16": lambda: ours.labels(model, half=True)}
        usual = {"the benchmark's way": lambda: reference(model, prompts, max_new_tokens=3)}
        found = compare("classification", usual | own, **rounds)
        forced = compare(
            "classification",
            {"a pass per label": lambda: teacher_forced(model, prompts), "float32": own["float32"]},
            **rounds,
        )["a pass per label"]
        agreement("labels, float32 and a pass per label", found["float32"], forced)
        agreement("labels, bfloat16 and float32 (random weights)", found["bfloat16"], found["float32"])
        let_answers_end(model, prompts)
        texts = {
            "the benchmark's way": lambda: reference(model, prompts, max_new_tokens=NEW),
            "generate": lambda: generated(model, prompts),
            "float32": lambda: ours.texts(model),
            "bfloat16": lambda: ours.texts(model, half=True),
        }
        written = compare("free text", texts, **rounds)
        agreement("texts, float32 and generate", written["float32"], written["generate"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--eval-tokens", type=int, default=1024)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
