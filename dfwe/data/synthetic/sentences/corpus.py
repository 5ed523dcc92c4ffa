"""The toy sentences as files of rows on disk."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from dfwe.data.synthetic.drawing import check_tasks, draw_distinct
from dfwe.data.synthetic.sentences.frames import SentenceStyle
from dfwe.data.synthetic.sentences.tasks import TASKS, Noise, Row, RowSampler
from dfwe.errors import ConfigurationError
from dfwe.io.files import make_folder, write_text
from dfwe.values.allowed import Count, Natural

_SPLITS = ("test", "dev", "train")  # in the order of drawing, so that more train rows leave the others as they are


@dataclass(frozen=True)
class ToyMultitask:
    """Seeded files `TASK/SPLIT.tsv`; a task has its own random stream and no two rows with the same sentences."""

    seed: Natural
    rows: Mapping[str, Mapping[str, Count]]  # number of rows by task and split
    style: SentenceStyle
    noise: Noise

    def __post_init__(self) -> None:
        check_tasks(self.rows, options=TASKS)
        for task, numbers in self.rows.items():
            if set(numbers) != set(_SPLITS) or any(number < 1 for number in numbers.values()):
                raise ConfigurationError(f"rows.{task} needs a number of rows for train, dev and test: {numbers}")

    def write(self, folder: Path) -> None:
        """Write all files below the folder, the same bytes for the same arguments."""
        for task, numbers in self.rows.items():
            make_folder(folder / task)
            rng = np.random.default_rng([self.seed, zlib.crc32(task.encode())])
            sampler = RowSampler(self.style, self.noise, rng)
            rows = draw_distinct(partial(TASKS[task], sampler), key=_sentences)
            for split in _SPLITS:
                _write(folder / task / f"{split}.tsv", rows=list(islice(rows, numbers[split])), name=f"{task}-{split}")


def _sentences(row: Row) -> tuple[str, ...]:
    return tuple(row.values())[:-1]


def _write(path: Path, *, rows: Sequence[Row], name: str) -> None:
    lines = ["\t".join(["id", *rows[0]])]
    lines += ["\t".join([f"{name}-{number}", *row.values()]) for number, row in enumerate(rows)]
    write_text(path, "\n".join(lines) + "\n")
