"""Training: the Hugging Face Trainer with its defaults, and ours, on the same instances; source tokens a second.

    python benchmarks/training.py [--shape small|base] [--rounds 3] [--examples 48] [--epochs 1] [--threads N]

A Flan-T5 of that shape with random weights; sources of lognormal length, answers of 2 to 8 tokens; batches of 8. Every
measurement is a process of its own (accelerate keeps its precision for the life of a process), and the ways take
turns. The first epoch warms up; of the others the time from the epoch's start to the end of its last step counts:
no imports, no evaluation, no saving. Prints medians of the ratios taken round by round, the share of padding, and
the share of the matmul peak that the process itself measures: useful floating point operations (of real tokens,
forward and backward) a second by those of a large product in the number format the way multiplies in.

The Trainer needs `pip install -e .[benchmarks]`.
"""

from __future__ import annotations

import argparse
import json
import os
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
from candidate import SHAPES, model_of
from torch.utils.flop_counter import FlopCounterMode
from transformers import Trainer, TrainerCallback, TrainingArguments

from dfwe.data.datamodule import IGNORE, TrainingData, pad
from dfwe.data.tokenise import TokenisedSplit
from dfwe.merging.experts import save_weights
from dfwe.models.text_to_text import TextToText
from dfwe.training.fit import FitSettings, fit_expert
from dfwe.training.precision import Precision, resolve_precision

BATCH = 8
LIGHT=True
GROUP_BATCHES = 8  # conf/trainer/base.yaml
LEARNING_RATE = 1e-4
Rows = list[dict[str, list[int]]]


@dataclass(frozen=True)
class Work:
    """What all ways train on."""

    shape: str
    examples: int
    epochs: int  # counted, after the one that warms up
    threads: int | None


@dataclass
class Clock:
    """Seconds of whole epochs, the first left out, and padded source tokens."""

    seconds: float = 0.0
    padded: int = 0
    _epoch: int = -1
    _begun: float = 0.0
    _counted: float = 0.0

    def epoch(self) -> None:
        """An epoch begins: the time up to the last step of the one before counts."""
        self.seconds += self._counted if self._epoch > 0 else 0.0
        self._epoch += 1
        self._begun, self._counted = time.perf_counter(), 0.0

    def step(self) -> None:
        """A step is done."""
        self._counted = time.perf_counter() - self._begun


def rows_of(work: Work) -> Rows:
    """Random instances."""
    generator = torch.Generator().manual_seed(0)
    lengths = (torch.randn(work.examples, generator=generator) * 0.5 + 5.1).exp().long().clamp(40, 480).tolist()
    answers = torch.randint(2, 9, (work.examples,), generator=generator).tolist()
    draw = partial(torch.randint, 10, 32000, generator=generator)
    return [{"source": draw((n,)).tolist(), "target": draw((m,)).tolist()} for n, m in zip(lengths, answers, strict=True)]


def useful_operations(work: Work, rows: Rows) -> int:
    """Floating point operations of one epoch without padding; a backward pass takes twice a forward pass."""
    with torch.device("meta"):
        model = model_of(work.shape)
        with FlopCounterMode(display=False) as counter:
            for row in rows:
                model(input_ids=torch.zeros(1, len(row["source"]), dtype=torch.int64), decoder_input_ids=torch.zeros(1, len(row["target"]), dtype=torch.int64))
    return 3 * int(counter.get_total_flops())


def peak(dtype: torch.dtype) -> float:
    """Floating point operations a second of a large product."""
    a, b = torch.randn(2048, 2048).to(dtype), torch.randn(2048, 2048).to(dtype)
    best = 0.0
    for _ in range(6):
        begun = time.perf_counter()
        a @ b
        best = max(best, 2 * 2048**3 / (time.perf_counter() - begun))
    return best


def usual(work: Work, rows: Rows, *, clock: Clock) -> torch.dtype:
    """transformers.Trainer as it comes: float32, random batches, fused AdamW, clipping at 1."""

    class Stamps(TrainerCallback):  # type: ignore[misc]
        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            clock.epoch()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.step()

    def collate(batch: Rows) -> dict[str, torch.Tensor]:
        sources = [row["source"] for row in batch]
        clock.padded += len(sources) * max(map(len, sources))
        return {
            "input_ids": pad(sources, value=0),
            "attention_mask": pad([[1] * len(row) for row in sources], value=0),
            "labels": pad([row["target"] for row in batch], value=IGNORE),
        }

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=BATCH,
            num_train_epochs=1 + work.epochs,
            learning_rate=LEARNING_RATE,
            remove_unused_columns=False,
            # what is no training: reports, checkpoints, bars
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        )
        Trainer(
            model=model_of(work.shape), args=arguments, train_dataset=rows, data_collator=collate, callbacks=[Stamps()]
        ).train()
    return torch.float32


def ours(work: Work, rows: Rows, *, clock: Clock, accumulate: int, precision: str) -> torch.dtype:
    """As a study's train stage does."""

    class Data(TrainingData):
        def train_dataloader(self) -> Any:
            clock.epoch()
            return super().train_dataloader()

    columns = {
        "source": [row["source"] for row in rows],
        "targets": [[row["target"]] for row in rows],
        "length": [len(row["source"]) for row in rows],
    }
    split = TokenisedSplit((), datasets.Dataset.from_dict(columns))
    data = Data([split], batch_size=BATCH, group_batches=GROUP_BATCHES, pad_id=0, seed=0)
    resolved: Precision = resolve_precision(precision, accelerator="cpu")
    settings = FitSettings(
        epochs=1 + work.epochs,
        patience=1 + work.epochs,
        stop_on="last",
        accumulate=accumulate,
        gradient_clip=1.0,
        precision=resolved,
        accelerator="auto",
        checkpoint=True,
    )
    optimizer = partial(torch.optim.Adam, lr=LEARNING_RATE, fused=True)
    module = TextToText(model_of(work.shape), optimizer=optimizer, light_dropout=LIGHT)
    with tempfile.TemporaryDirectory() as folder:
        fit_expert(
            module,
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

