"""Training: the Hugging Face Trainer with its defaults, and ours, on the same instances; source tokens a second.

    python benchmarks/training.py [--shape small|base] [--rounds 3] [--examples 48] [--ways trainer ours ...]

A Flan-T5 of that shape with random weights; sources of lognormal length, answers of 2 to 8 tokens; batches of 8. The
ways take turns, each measurement a process of its own (accelerate keeps its precision for the life of a process). Its
first epoch warms up; of the others counts the time from an epoch's beginning to the end of its last step: no imports,
no evaluation, no files. Prints medians of the ratios taken round by round, tokens of padding per token, and the
share that the work without padding has of the process's own matmul peak (in the way's number format).

The Trainer needs accelerate: `pip install -c constraints.txt -e .[benchmarks]`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import datasets
import torch
from shapes import SHAPES, model_of
from torch.utils.flop_counter import FlopCounterMode
from transformers import Trainer, TrainerCallback, TrainingArguments

from dfwe.families.seq2seq.family import TextToText
from dfwe.families.seq2seq.family import collate as seq2seq_batch
from dfwe.families.text.datamodule import IGNORE, text_data
from dfwe.families.text.tokenization import TokenisedSplit
from dfwe.families.tokens import pad
from dfwe.merging.expert_array import save_weights
from dfwe.training.fit import FitSettings, fit_expert
from dfwe.training.precision import resolve_precision

BATCH = 8
GROUP_BATCHES = 8  # conf/trainer/base.yaml
LEARNING_RATE = 1e-4
Rows = list[dict[str, list[int]]]


@dataclass(frozen=True)
class Work:
    """What all ways train on; `epochs` are counted, after one that warms up."""

    shape: str
    examples: int
    epochs: int
    threads: int | None

    def rows(self) -> Rows:
        """Random instances."""
        generator = torch.Generator().manual_seed(0)
        lengths = (torch.randn(self.examples, generator=generator) * 0.5 + 5.1).exp().long().clamp(40, 480).tolist()
        answers = torch.randint(2, 9, (self.examples,), generator=generator).tolist()
        draw = partial(torch.randint, 10, 32000, generator=generator)
        return [
            {"source": draw((length,)).tolist(), "target": draw((answer,)).tolist()}
            for length, answer in zip(lengths, answers, strict=True)
        ]


@dataclass
class Clock:
    """Seconds of the counted epochs, and the padded source tokens of all."""

    seconds: float = 0.0
    padded: int = 0
    _epoch: int = -1
    _begun: float = 0.0
    _counted: float = 0.0

    def epoch(self) -> None:
        """An epoch begins; the one before counts up to its last step."""
        self.seconds += self._counted if self._epoch > 0 else 0.0
        self._epoch += 1
        self._begun, self._counted = time.perf_counter(), 0.0

    def step(self) -> None:
        """A batch is done."""
        self._counted = time.perf_counter() - self._begun


def usual(work: Work, *, clock: Clock) -> torch.dtype:
    """transformers.Trainer as it comes: float32, random batches, fused AdamW, gradients clipped at 1."""

    class Stamps(TrainerCallback):  # type: ignore[misc]
        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            clock.epoch()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step()

    def collate(batch: Rows) -> dict[str, torch.Tensor]:
        sources = pad([row["source"] for row in batch], value=0)
        clock.padded += sources.numel()
        return {
            "input_ids": sources,
            "attention_mask": pad([[1] * len(row["source"]) for row in batch], value=0),
            "labels": pad([row["target"] for row in batch], value=IGNORE),
        }

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=BATCH,
            num_train_epochs=1 + work.epochs,
            learning_rate=LEARNING_RATE,
            remove_unused_columns=False,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model_of(work.shape), arguments, data_collator=collate, train_dataset=work.rows(), callbacks=[Stamps()]
        )
        trainer.train()
    return torch.float32


def ours(
    work: Work, *, clock: Clock, accumulate: int = 1, light_dropout: bool = True, precision: str = "auto"
) -> torch.dtype:
    """As a study's train stage does."""
    rows = work.rows()
    columns = {
        "source": [row["source"] for row in rows],
        "targets": [[row["target"]] for row in rows],
        "length": [len(row["source"]) for row in rows],
    }
    split = TokenisedSplit((), datasets.Dataset.from_dict(columns))
    data = text_data(
        [split], batch_size=BATCH, group_batches=GROUP_BATCHES, collate=partial(seq2seq_batch, pad_id=0), seed=0
    )
    batches_of_epoch = data.train_dataloader

    def train_dataloader() -> Any:
        batches = batches_of_epoch()
        clock.padded += sum(batch["input_ids"].numel() for batch in batches)
        clock.epoch()
        return batches

    data.train_dataloader = train_dataloader  # type: ignore[method-assign]
    resolved = resolve_precision(precision, accelerator="cpu")
    settings = FitSettings(
        epochs=1 + work.epochs,
        patience=1 + work.epochs,
        stop_on="last",
        accumulate=accumulate,
        gradient_clip=1.0,
        precision=resolved,
        accelerator="cpu",
        checkpoint=True,
    )
    optimizer = partial(torch.optim.Adam, lr=LEARNING_RATE, fused=True)
    with tempfile.TemporaryDirectory() as folder:
        fit_expert(
            TextToText(model_of(work.shape), optimizer=optimizer, light_dropout=light_dropout),
            data=data,
            settings=settings,
            target=None,
            own=None,
            seed=0,
            folder=Path(folder),
            save=save_weights,
            tell=lambda share: clock.step(),
        )
    return torch.bfloat16 if resolved == "bf16-mixed" else torch.float32


WAYS: dict[str, Callable[..., torch.dtype]] = {
    "trainer": usual,
    "ours": ours,
    "accumulate-3": partial(ours, accumulate=3),
    "torch-dropout": partial(ours, light_dropout=False),
    "float32": partial(ours, precision="32-true"),
}


def measure(way: str, work: Work) -> tuple[float, int, float]:
    """Seconds of the counted epochs, padded tokens of one, and the matmul peak in operations a second."""
    if work.threads:
        torch.set_num_threads(work.threads)
    clock = Clock()
    dtype = WAYS[way](work, clock=clock)
    clock.epoch()
    return clock.seconds, clock.padded // (1 + work.epochs), peak(dtype)


def peak(dtype: torch.dtype) -> float:
    """Floating point operations a second of a large product, the best of several."""
    a, b = torch.randn(2048, 2048).to(dtype), torch.randn(2048, 2048).to(dtype)
    best = 0.0
    for _ in range(6):
        begun = time.perf_counter()
        a @ b
        best = max(best, 2 * 2048**3 / (time.perf_counter() - begun))
    return best


def useful_operations(work: Work) -> int:
    """Floating point operations of one epoch without padding; a backward pass takes twice a forward pass's."""
    rows = work.rows()
    with torch.device("meta"):
        model = model_of(work.shape)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            for row in rows:
                source, target = (torch.zeros(1, len(row[name]), dtype=torch.int64) for name in ("source", "target"))
                model(input_ids=source, decoder_input_ids=target)
    return 3 * int(counter.get_total_flops())


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    work = Work(options.shape, options.examples, options.epochs, options.threads)
    tokens = sum(len(row["source"]) for row in work.rows())
    operations = work.epochs * useful_operations(work)
    found: dict[str, list[tuple[float, int, float]]] = {way: [] for way in options.ways}
    for _ in range(options.rounds):
        for way, measured in found.items():
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                measured.append(pool.submit(measure, way, work).result())
    for way, measured in found.items():
        ratios = [first[0] / own[0] for first, own in zip(found[options.ways[0]], measured, strict=True)]
        line = {
            "way": way,
            f"times faster than {options.ways[0]}": round(statistics.median(ratios), 2),
            "min": round(min(ratios), 2),
            "max": round(max(ratios), 2),
            "source tokens/s": round(work.epochs * tokens / statistics.median(each[0] for each in measured), 1),
            "padding per token": round(measured[0][1] / tokens - 1, 2),
            "share of matmul peak": round(statistics.median(operations / s / limit for s, _, limit in measured), 2),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
