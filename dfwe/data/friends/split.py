"""Split of the dialogues into train, dev and test, one for all tasks together."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfwe.data.few_shot import FEW_SHOT, REFERENCE_SEED, reference_split
from dfwe.data.friends.words import words_of
from dfwe.errors import DataError
from dfwe.io.strict_json import read_json_object
from dfwe.records import SPLITS, Split

_LONG = 8  # words; a shorter line may be said twice
_RARE = 3  # a line that more dialogues have is a quotation


@dataclass(frozen=True)
class OfficialSplit:
    """Ids of the official split and of its few-shot part, by split, as far as they are known."""

    ids: Mapping[Split, frozenset[str]] = field(default_factory=dict)
    few_shot: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, dialogue_id: str) -> str | None:
        """Return the dialogue's official split, None if it is not known."""
        return next((split for split, ids in self.ids.items() if dialogue_id in ids), None)


def read_official_split(path: Path) -> OfficialSplit:
    """Read the lists `train`, `dev`, `test`, and optionally `few_shot_train`, `few_shot_dev` from a JSON file.

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
    return OfficialSplit(ids, few_shot)


def _ids(listed: Any) -> frozenset[str]:
    if not isinstance(listed, list) or not all(isinstance(i, str) for i in listed):
        raise TypeError("a list holds something else than dialogue ids")
    return frozenset(listed)


def split_dialogues(
    dialogues: Sequence[Mapping[str, Any]], *, official: OfficialSplit
) -> tuple[dict[str, tuple[str, ...]], int]:
    """Split the ids, and count the pairs that share a line but could not be brought together.

    Dialogues of the official split stay there. Others are grouped by long lines that they share. A group joins the
    official dialogues with which it shares most lines, or else is split by the reference's rule (`reference_split`).
    """
    shared = _shared_lines(dialogues)
    ids = sorted(dialogue["dialogue_id"] for dialogue in dialogues)
    split = {i: official.of(i) for i in ids}
    groups = _groups([i for i in ids if split[i] is None], shared=shared)
    free = []
    for group in groups:
        votes = Counter(official.of(other) or "" for i in group for other in shared[i].elements())
        del votes[""]
        winner = max(votes, key=lambda name: (votes[name], name), default=None)
        split.update(dict.fromkeys(group, winner))
        free += [] if winner else [group]
    by_first = {group[0]: group for group in free}
    for name, firsts in reference_split(sorted(by_first)).items():
        split.update({i: name for first in firsts for i in by_first[first]})
    apart = sum(split[a] != split[b] for a, neighbours in shared.items() for b in neighbours if a < b)
    return {name: tuple(i for i in ids if split[i] == name) for name in SPLITS}, apart


def few_shot_lists(split: Mapping[str, Sequence[str]], *, official: OfficialSplit) -> dict[str, tuple[str, ...]]:
    """Return a tenth of train and dev: official few-shot ids first, then a seeded draw of other ids."""
    generator = random.Random(REFERENCE_SEED)
    lists: dict[str, tuple[str, ...]] = {}
    for name in ("train", "dev"):
        size = int(len(split[name]) * FEW_SHOT)
        official_ids = official.few_shot.get(name, frozenset())
        listed = [i for i in split[name] if i in official_ids][:size]
        new = [i for i in split[name] if official.of(i) is None]
        unlisted = [i for i in split[name] if i not in official_ids and official.of(i) is not None]
        num_missing = size - len(listed)
        sample = generator.sample(new, min(num_missing, len(new)))
        sample += generator.sample(unlisted, num_missing - len(sample))
        lists[name] = tuple(sorted([*listed, *sample]))
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
