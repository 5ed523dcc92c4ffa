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
from dfwe.stages.diagnostics.base import DiagnosticStage
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.mixture import MixtureStage
from dfwe.stages.train import TrainStage
from dfwe.store.card import CARD, Card, NewerFormatError, identity

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
        same, near = _keys_of_stage(stage)
        return _mean(cards.get(same) or cards.get(near) or [], alike=same in cards)

    def _cards(self, kind: str) -> Mapping[Hashable, list[Card]]:
        if kind not in self._kinds:
            by_key: dict[Hashable, list[Card]] = defaultdict(list)
            for card in _newest(self._root, kind=kind):
                with suppress(KeyError, TypeError, AttributeError):  # of a version that told it otherwise
                    for key in _keys_of_card(card):
                        by_key[key].append(card)
            self._kinds[kind] = dict(by_key)
        return self._kinds[kind]


def _newest(root: Path, *, kind: str) -> Iterator[Card]:
    folders = [folder for folder in root.glob(f"{kind}-*") if folder.suffix not in _UNFINISHED]
    stamped = sorted(((folder / CARD).stat().st_mtime, folder) for folder in folders if (folder / CARD).is_file())
    for _, folder in stamped[-NEWEST:]:
        try:
            yield Card.read(folder)
        except (StoreError, NewerFormatError):  # the stage itself will say so, and be made again
            continue


def _mean(cards: Sequence[Card], *, alike: bool) -> Cost:
    if not cards:
        return UNKNOWN
    values = [card.result.get("seconds") for card in cards]
    seconds = [value for value in values if isinstance(value, int | float)]
    sizes = [sum(file["bytes"] for file in card.files.values()) for card in cards]
    return Cost(sum(seconds) / len(seconds) if seconds else None, sum(sizes) / len(sizes), len(cards), alike)


def _keys_of_stage(stage: Stage) -> tuple[Hashable, Hashable]:
    """Return the keys of stages like this one, and of those a little like it."""
    if isinstance(stage, TrainStage):
        family = stage.family
        tasks = [family.task_spec(task) for task in stage.recipe.tasks]
        return _keys(family.spec()["base_model"], tasks, stage.recipe.fit["epochs"])
    if isinstance(stage, MergeStage):
        family = stage.family
        return _keys(
            family.spec()["base_model"], [family.task_spec(stage.target)], stage.config["search"].get("budget")
        )
    if isinstance(stage, EvaluateStage):
        return _keys(stage.family.spec()["base_model"], [stage.family.task_spec(stage.target)], None)
    if isinstance(stage, MixtureStage):
        family = stage.merge.family
        return _keys(family.spec()["base_model"], [family.task_spec(stage.merge.target)], None)
    if isinstance(stage, DiagnosticStage):
        return _keys(stage.family.spec()["base_model"], [stage.family.task_spec(stage.target)], stage.probe)
    return (stage.digest,), _of_parent(stage.kind, stage.spec())


def _keys_of_card(card: Card) -> tuple[Hashable, Hashable]:
    spec = card.spec
    if card.kind == "train":
        return _keys(spec["family"]["base_model"], spec["tasks"], spec["fit"]["epochs"])
    if card.kind == "merge":
        return _keys(spec["family"]["base_model"], [spec["target"]], spec["search"].get("budget"))
    if card.kind in ("evaluate", "mixture"):
        return _keys(spec["family"]["base_model"], [spec["target"]], None)
    if card.kind == "probe":
        return _keys(spec["family"]["base_model"], [spec["target"]], spec["probe"])
    return (card.digest,), _of_parent(card.kind, spec)


def _of_parent(kind: str, spec: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Return what stages of other kinds must share to be a little alike: the parent; what has none is like nothing."""
    family = spec.get("family")
    parent = family.get("base_model") if isinstance(family, Mapping) else None
    return (kind, json.dumps(identity(spec), sort_keys=True, default=str) if parent is None else parent)


def _keys(parent: str, tasks: Sequence[Any], length: Any) -> tuple[Hashable, Hashable]:
    return (parent, json.dumps(tasks, sort_keys=True), length), (parent, length)
