"""Few shots: how many train and dev examples a study may use, and the reference's rules for splits.

The test split is always complete.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfwe.data.readers.base import Corpus
from dfwe.errors import ConfigurationError
from dfwe.records import Instance, Split
from dfwe.values.allowed import per_class

REFERENCE_SEED = 2530  # of the reference's few-shot lists
FEW_SHOT = 0.1  # of the dialogues that the benchmark's lists have
_SPLIT_SEED = 0
_HELD_OUT = 0.15  # of the dialogues, for test and again for dev


@dataclass(frozen=True)
class Shots:
    """All of train and dev, a fraction of their dialogues, or a number of instances of each, in all or per class.

    A fraction in (0, 1) follows the reference: the corpus's own list of dialogue ids where it brings one (drawn with
    the reference's seed), else a draw by the reference's rule (`few_shot_ids`). A whole number takes at most that many
    instances of a split, drawn by task and split, in their order; a smaller number gives a subset. `8 per class` takes
    at most that many of each first gold label, of train and of dev alike as Gao et al. (2021) do.
    """

    amount: Any  # "all", "8 per class", a float or an int; from a configuration, so checked below
    seed: int

    def __post_init__(self) -> None:
        if not _is_amount(self.amount):
            raise ConfigurationError(
                "shots must be 'all', a share between 0 and 1, a whole number of instances from 1 on, or such a number "
                f"per class as '8 per class', not {self.amount!r}"
            )

    @property
    def per_class(self) -> int | None:
        """Most instances of a class, where the amount is one per class."""
        return per_class(self.amount) if isinstance(self.amount, str) else None

    def spec(self) -> dict[str, Any]:
        """Return the settings that identify the draw, as JSON values."""
        return {"shots": self.amount} if self.amount == "all" else {"shots": self.amount, "seed": self.seed}

    def ids(self, corpus: Corpus, *, split: Split) -> tuple[str, ...]:
        """Return the ids of the dialogues whose instances may be used."""
        if split == "test" or not isinstance(self.amount, float):
            return corpus.splits[split]
        listed = corpus.few_shot.get(str(self.amount))
        if listed is not None and self.seed == REFERENCE_SEED:
            return listed[split]
        train, dev = few_shot_ids(
            corpus.splits["train"], dev_ids=corpus.splits["dev"], fraction=self.amount, seed=self.seed
        )
        return train if split == "train" else dev

    def select(self, instances: Sequence[Instance], *, task: str, split: Split) -> tuple[Instance, ...]:
        """Return the selected instances of those dialogues, in their order."""
        if split == "test" or not (isinstance(self.amount, int) or self.per_class):
            return tuple(instances)
        generator = np.random.default_rng([self.seed, zlib.crc32(f"{task} {split}".encode())])
        order = [int(index) for index in generator.permutation(len(instances))]
        selected = (
            _first_of_each_class(order, instances, num=self.per_class) if self.per_class else order[: self.amount]
        )
        return tuple(instances[index] for index in sorted(selected))


def _first_of_each_class(order: Sequence[int], instances: Sequence[Instance], *, num: int) -> list[int]:
    counts: Counter[str] = Counter()
    indices = []
    for index in order:
        label = instances[index].references[0]
        counts[label] += 1
        if counts[label] <= num:
            indices.append(index)
    return indices


def _is_amount(amount: Any) -> bool:
    if isinstance(amount, bool):
        return False
    if isinstance(amount, int):
        return amount >= 1
    if isinstance(amount, str):
        return amount == "all" or bool(per_class(amount))
    return isinstance(amount, float) and 0.0 < amount < 1.0


ALL = Shots("all", seed=REFERENCE_SEED)


def reference_split(ids: Sequence[str]) -> Mapping[Split, tuple[str, ...]]:
    """Split dialogue ids that come in the order of the file as FETA-Friends does; each list is sorted.

    The reference shuffles with `random.seed(0)`, then takes the first 15% for test, the next 15% for dev and
    the rest for train (466, 466 and 2,175 of 3,107). Python's own generator draws the same numbers in every
    version.
    """
    shuffled = list(ids)
    random.Random(_SPLIT_SEED).shuffle(shuffled)
    end_of_test = int(len(shuffled) * _HELD_OUT)
    end_of_dev = int(len(shuffled) * (_HELD_OUT + _HELD_OUT))
    return {
        "train": tuple(sorted(shuffled[end_of_dev:])),
        "dev": tuple(sorted(shuffled[end_of_test:end_of_dev])),
        "test": tuple(sorted(shuffled[:end_of_test])),
    }


def few_shot_ids(
    train_ids: Sequence[str], *, dev_ids: Sequence[str], fraction: float, seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Draw the few-shot train and dev ids, each sorted: `int(n * fraction)` of each list.

    The reference seeds once, with 2530, and samples the list of train ids, then that of dev ids, in sorted
    order.
    """
    generator = random.Random(seed)
    train, dev = (generator.sample(sorted(ids), int(len(ids) * fraction)) for ids in (train_ids, dev_ids))
    return tuple(sorted(train)), tuple(sorted(dev))
