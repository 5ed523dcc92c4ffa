"""The toy tasks as files of rows on disk."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dfwe.data.toy_multitask.frames import SentenceStyle
from dfwe.data.toy_multitask.tasks import TASKS, Drawing, Noise, Row
from dfwe.errors import ConfigurationError
from dfwe.io.files import make_folder, write_text
from dfwe.values.allowed import Count, Natural

_SPLITS = ("test", "dev", "train")  # in the order of drawing, so that more to train on leaves the others as they are


@dataclass(frozen=True)
class ToyMultitask:
    """Seeded files `TASK/SPLIT.tsv`; a task has no two rows with the same sentences, and a stream of its own."""

    seed: Natural
    rows: Mapping[str, Mapping[str, Count]]  # how many by task and split
    manner: SentenceStyle
    noise: Noise

    def __post_init__(self) -> None:
        if unknown := set(self.rows) - set(TASKS):
            raise ConfigurationError(f"the toy data has no task {sorted(unknown)}: its tasks are {', '.join(TASKS)}")
        for task, numbers in self.rows.items():
            if set(numbers) != set(_SPLITS) or any(number < 1 for number in numbers.values()):
                raise ConfigurationError(f"rows.{task} needs a number of rows for train, dev and test: {numbers}")

    def write(self, folder: Path) -> None:
        """Writes all files below the folder, the same bytes for the same arguments."""
        for task, numbers in self.rows.items():
            make_folder(folder / task)
            for split, rows in self._draw(task, numbers=numbers).items():
                _write(folder / task / f"{split}.tsv", rows=rows, name=f"{task}-{split}")

    def _draw(self, task: str, *, numbers: Mapping[str, int]) -> Mapping[str, Sequence[Row]]:
        rng = np.random.default_rng([self.seed, zlib.crc32(task.encode())])
        drawing = Drawing(self.manner, self.noise, rng)
        told: set[tuple[str, ...]] = set()
        drawn: dict[str, list[Row]] = {split: [] for split in _SPLITS}
        for split in _SPLITS:
            while len(drawn[split]) < numbers[split]:
                row = TASKS[task](drawing)
                sentences = tuple(row.values())[:-1]
                if sentences not in told:
                    told.add(sentences)
                    drawn[split].append(row)
        return drawn


def _write(path: Path, *, rows: Sequence[Row], name: str) -> None:
    """Writes rows with tabs between cells, below a line of names, so that no reader ever sees half of the file."""
    lines = ["\t".join(["id", *rows[0]])]
    lines += ["\t".join([f"{name}-{number}", *row.values()]) for number, row in enumerate(rows)]
    write_text(path, "\n".join(lines) + "\n")
