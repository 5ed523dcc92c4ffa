"""Estimate what stages will take from the cards of earlier ones: seconds, and bytes that they leave."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.errors import StoreError
from dfwe.stages.base import Stage
from dfwe.store.card import CARD, Card, NewerFormatError, UnreadableError, identity

NEWEST = 200  # cards of a kind: enough for a mean, and read in no time
_UNFINISHED = (".partial", ".corrupt")


@dataclass(frozen=True)
class Cost:
    """Means of earlier stages; `num` of them, None for what no card says. `alike`: on the same tasks and data."""

    seconds: float | None
    bytes: float | None
    num: int
    alike: bool


UNKNOWN = Cost(None, None, 0, False)


class CostEstimator:
    """Estimates of stages from earlier ones of the same base model, and better of the same tasks, too."""

    def __init__(self, root: Path) -> None:
        """Read the newest cards of each kind in the store's folder, once they are needed."""
        self._root = root
        self._kinds: dict[str, dict[Hashable, list[Card]]] = {}

    def cost(self, stage: Stage) -> Cost:
        """Return what the stage will take if it is like those before it."""
        cards = self._cards(stage.kind)
        if not cards:
            return UNKNOWN
        same, near = _keys(stage.digest, stage.spec())
        return _mean(cards.get(same) or cards.get(near) or [], alike=same in cards)

    def _cards(self, kind: str) -> Mapping[Hashable, list[Card]]:
        if kind not in self._kinds:
            by_key: dict[Hashable, list[Card]] = defaultdict(list)
            for card in _newest(self._root, kind=kind):
                with suppress(KeyError, TypeError, AttributeError):  # of a version that told it otherwise
                    for key in _keys(card.digest, card.spec):
                        by_key[key].append(card)
            self._kinds[kind] = dict(by_key)
        return self._kinds[kind]


def _newest(root: Path, *, kind: str) -> Iterator[Card]:
    folders = [folder for folder in root.glob(f"{kind}-*") if folder.suffix not in _UNFINISHED]
    stamped = sorted(((folder / CARD).stat().st_mtime, folder) for folder in folders if (folder / CARD).is_file())
    for _, folder in stamped[-NEWEST:]:
        try:
            yield Card.read(folder)
        except (StoreError, UnreadableError, NewerFormatError):  # the stage itself will say so, and be made again
            continue


def _mean(cards: Sequence[Card], *, alike: bool) -> Cost:
    if not cards:
        return UNKNOWN
    values = [card.result.get("seconds") for card in cards]
    seconds = [value for value in values if isinstance(value, int | float)]
    sizes = [sum(file["bytes"] for file in card.files.values()) for card in cards]
    return Cost(sum(seconds) / len(seconds) if seconds else None, sum(sizes) / len(sizes), len(cards), alike)


def _keys(digest: str, spec: Mapping[str, Any]) -> tuple[Hashable, Hashable]:
    """Return the keys of stages like this one, and of those a little like it: of the same parent and as long."""
    family = spec.get("family")
    parent = family.get("base_model") if isinstance(family, Mapping) else None
    if parent is None:  # a parent itself, which is like nothing but its own
        return digest, json.dumps(identity(spec), sort_keys=True, default=str)
    factors = json.dumps(identity(spec.get("lora")), sort_keys=True)  # small, and faster than all weights
    length = factors, spec.get("fit", {}).get("epochs"), spec.get("search", {}).get("budget"), spec.get("probe")
    tasks = spec.get("tasks", spec.get("target"))
    same = digest if tasks is None else (parent, json.dumps(tasks, sort_keys=True), length)
    return same, (parent, length)
