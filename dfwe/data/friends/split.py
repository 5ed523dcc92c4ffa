"""Which dialogue is for training, dev and test: one split over all tasks together."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfwe.data.friends.words import words_of
from dfwe.data.splits import REFERENCE_SEED, reference_split
from dfwe.errors import DataError
from dfwe.io.strict_json import read_json_object

SPLITS = ("train", "dev", "test")
SHARE = 0.1  # of the few-shot lists
_LONG = 8  # words; a shorter line may be said twice
_RARE = 3  # a line that more dialogues have is a quotation


@dataclass(frozen=True)
class KnownSplit:
    """What is known of the official split: ids by split, and the few-shot part's ids."""

    ids: Mapping[str, frozenset[str]] = field(default_factory=lambda: {split: frozenset() for split in SPLITS})
    few_shot: Mapping[str, frozenset[str]] = field(
        default_factory=lambda: {split: frozenset() for split in ("train", "dev")}
    )

    def of(self, dialogue_id: str) -> str | None:
        """The dialogue's official split, None where it is not known."""
        return next((split for split, ids in self.ids.items() if dialogue_id in ids), None)


def read_known(path: Path) -> KnownSplit:
    """The JSON file's lists `train`, `dev`, `test`, and `few_shot_train`, `few_shot_dev` where it has them.

    Raises:
        DataError: the file is missing, or is not such an object, or lists a dialogue in two splits.
    """
    loaded = read_json_object(path)
    try:
        ids = {split: _ids(loaded[split]) for split in SPLITS}
        few_shot = {split: _ids(loaded.get(f"few_shot_{split}", [])) for split in ("train", "dev")}
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} must be a JSON object with the lists train, dev and test: {error}") from error
    twice = [i for i, n in Counter(i for listed in ids.values() for i in listed).items() if n > 1]
    if twice:
        raise DataError(f"{path} lists dialogue '{twice[0]}' in two splits")
    return KnownSplit(ids, few_shot)


def _ids(listed: Any) -> frozenset[str]:
    if not isinstance(listed, list) or not all(isinstance(i, str) for i in listed):
        raise TypeError("a list holds something else than dialogue ids")
    return frozenset(listed)


def split_dialogues(
    dialogues: Sequence[Mapping[str, Any]], *, known: KnownSplit
) -> tuple[dict[str, tuple[str, ...]], int]:
    """The ids by split, sorted, and how many pairs that share a line no rule could bring together.

    Dialogues of known split keep it. Others go by the reference's rule (`reference_split`), those that share a long
    line as one: in the split of the known dialogues that they share most lines with, where there are any.
    """
    shared = _shared_lines(dialogues)
    ids = sorted(dialogue["dialogue_id"] for dialogue in dialogues)
    split = {i: known.of(i) for i in ids}
    groups = _groups([i for i in ids if split[i] is None], shared=shared)
    free = []
    for group in groups:
        votes = Counter(
            official for i in group for other in shared[i].elements() if (official := known.of(other)) is not None
        )
        chosen = max(votes, key=lambda name: (votes[name], name), default=None)
        split.update(dict.fromkeys(group, chosen))
        free += [] if chosen else [group]
    by_first = {group[0]: group for group in free}
    for name, firsts in reference_split(sorted(by_first)).items():
        split.update({i: name for first in firsts for i in by_first[first]})
    apart = sum(split[a] != split[b] for a, others in shared.items() for b in others if a < b)
    return {name: tuple(i for i in ids if split[i] == name) for name in SPLITS}, apart


def few_shot_lists(split: Mapping[str, Sequence[str]], *, known: KnownSplit) -> dict[str, tuple[str, ...]]:
    """A tenth of train and of dev: official few-shot ids first, then a seeded draw of ids without a known split."""
    generator = random.Random(REFERENCE_SEED)
    lists: dict[str, tuple[str, ...]] = {}
    for name in ("train", "dev"):
        wanted = int(len(split[name]) * SHARE)
        official = [i for i in split[name] if i in known.few_shot[name]][:wanted]
        unknown = [i for i in split[name] if known.of(i) is None]
        others = [i for i in split[name] if i not in known.few_shot[name] and known.of(i) is not None]
        missing = wanted - len(official)
        drawn = generator.sample(unknown, min(missing, len(unknown)))
        drawn += generator.sample(others, missing - len(drawn))
        lists[name] = tuple(sorted([*official, *drawn]))
    return lists


def _shared_lines(dialogues: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    having: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for dialogue in dialogues:
        for turn in dialogue["dialogue"]:
            words = tuple(word.key for word in words_of(turn["utterance"]))
            if len(words) >= _LONG:
                having[words].add(dialogue["dialogue_id"])
    shared: dict[str, Counter[str]] = defaultdict(Counter)
    for ids in having.values():
        if 1 < len(ids) <= _RARE:
            for i in ids:
                shared[i].update(ids - {i})
    return shared


def _groups(ids: Sequence[str], *, shared: Mapping[str, Counter[str]]) -> list[list[str]]:
    left, groups = set(ids), []
    for first in ids:
        if first not in left:
            continue
        group, todo = [], [first]
        left.discard(first)
        while todo:
            group.append(todo.pop())
            near = sorted(left & set(shared.get(group[-1], ())))
            left -= set(near)
            todo += near
        groups.append(sorted(group))
    return groups
