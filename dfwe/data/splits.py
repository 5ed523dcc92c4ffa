"""The reference's rules for splits and few-shot lists, for data that come without them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from dfwe.records import Split

_SPLIT_SEED = 0
REFERENCE_SEED = 2530  # of the reference's few-shot lists
_HELD_OUT = 0.15  # of the dialogues, for test and again for dev


def reference_split(ids: Sequence[str]) -> Mapping[Split, tuple[str, ...]]:
    """The dialogue ids by split, each sorted, as FETA-Friends splits ids that come in the order of the file.

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


def few_shot(
    train_ids: Sequence[str], *, dev_ids: Sequence[str], share: float, seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The few-shot train and dev ids, each sorted: `int(n * share)` of each list.

    The reference seeds once, with 2530, and samples the list of train ids, then that of dev ids, in sorted
    order.
    """
    generator = random.Random(seed)
    train, dev = (generator.sample(sorted(ids), int(len(ids) * share)) for ids in (train_ids, dev_ids))
    return tuple(sorted(train)), tuple(sorted(dev))
