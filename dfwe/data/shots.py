"""Few shots: how much of a task's train and dev a study may use. The test split is always whole."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfwe.data.readers.base import Corpus
from dfwe.data.splits import REFERENCE_SEED, few_shot
from dfwe.errors import ConfigurationError
from dfwe.records import Instance, Split


@dataclass(frozen=True)
class Shots:
    """All of train and dev, a share of their dialogues, or so many instances of each.

    A share in (0, 1) follows the reference: the corpus's own list of dialogue ids where it brings one (that list is a
    draw of the reference's seed), else a draw by the reference's rule (`dfwe.data.splits`). A whole number takes
    at most so many instances of a split, drawn by task and split, their order kept; fewer are a part of more.
    """

    amount: Any  # "all", a float or an int; from a configuration, so checked below
    seed: int

    def __post_init__(self) -> None:
        if not _is_amount(self.amount):
            raise ConfigurationError(
                "shots must be 'all', a share between 0 and 1, or a whole number of instances from 1 on, "
                f"not {self.amount!r}"
            )

    def spec(self) -> dict[str, Any]:
        """What names the draw, as JSON."""
        return {"shots": self.amount} if self.amount == "all" else {"shots": self.amount, "seed": self.seed}

    def ids(self, corpus: Corpus, *, split: Split) -> tuple[str, ...]:
        """The dialogues that may be asked about."""
        if split == "test" or not isinstance(self.amount, float):
            return corpus.splits[split]
        listed = corpus.few_shot.get(str(self.amount))
        if listed is not None and self.seed == REFERENCE_SEED:
            return listed[split]
        train, dev = few_shot(corpus.splits["train"], dev_ids=corpus.splits["dev"], share=self.amount, seed=self.seed)
        return train if split == "train" else dev

    def take(self, instances: Sequence[Instance], *, task: str, split: Split) -> tuple[Instance, ...]:
        """The instances of those dialogues that are kept, in their order."""
        if split == "test" or not isinstance(self.amount, int):
            return tuple(instances)
        generator = np.random.default_rng([self.seed, zlib.crc32(f"{task} {split}".encode())])
        kept = sorted(generator.permutation(len(instances))[: self.amount])
        return tuple(instances[int(index)] for index in kept)


def _is_amount(amount: Any) -> bool:
    if isinstance(amount, bool):
        return False
    if isinstance(amount, int):
        return amount >= 1
    return amount == "all" if isinstance(amount, str) else isinstance(amount, float) and 0.0 < amount < 1.0


ALL = Shots("all", seed=REFERENCE_SEED)
