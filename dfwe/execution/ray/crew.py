"""Candidates evaluated by several workers, which read one copy of the experts' array a machine."""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import ray
import torch
from ray.exceptions import RayActorError
from torch import Tensor

from dfwe.execution.ray.got import got
from dfwe.merging.experts import ExpertArray, Layout
from dfwe.records import Coefficients, Evaluation
from dfwe.search.measure import Alone, Found
from dfwe.stages.candidate_pool import Crew

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Shared:
    """An experts' array as NumPy's, which Ray's workers read where it lies: nothing may be written there."""

    names: tuple[str, ...]
    layout: Layout
    weights: np.ndarray
    parent: np.ndarray | None
    statistics: tuple[Mapping[str, np.ndarray], ...]

    @classmethod
    def of(cls, array: ExpertArray) -> Shared:
        """No copy yet."""
        parent = None if array.parent is None else array.parent.numpy()
        statistics = tuple({name: tensor.numpy() for name, tensor in each.items()} for each in array.statistics)
        return cls(array.names, array.layout, array.weights.numpy(), parent, statistics)

    def array(self) -> ExpertArray:
        """No copy either."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nobody writes
            parent = None if self.parent is None else torch.from_numpy(self.parent)
            statistics = tuple(_tensors(each) for each in self.statistics)
            return ExpertArray(self.names, self.layout, torch.from_numpy(self.weights), parent, statistics)


class RayCrew(Crew):
    """The worker that makes the merge, and its helpers."""

    def __init__(self, digest: str, helpers: Sequence[Any]) -> None:
        self._digest, self._helpers = digest, list(helpers)
        self._shared: Any = None

    def share(self, array: ExpertArray) -> ExpertArray:
        """The array in Ray's object store, which every machine holds once."""
        log.info("%d workers evaluate candidates side by side", 1 + len(self._helpers))
        self._shared = ray.put(Shared.of(array))
        shared: Shared = ray.get(self._shared)
        return replace(shared.array(), layout=array.layout)

    def together(self, asked: Sequence[Coefficients], best: Evaluation | None, alone: Alone, /) -> Iterator[Found]:
        """Each helper has a candidate as long as there are any, and so has this process."""
        batch = _Batch(asked, lambda coefficients: alone(coefficients, best))
        best_put = ray.put(best)
        for place in range(len(asked)):
            while place not in batch.found:
                for helper in self._helpers:
                    batch.send(helper, lambda each, to: to.examine.remote(self._digest, self._shared, each, best_put))
                batch.evaluate_one()
                for lost in batch.collect():
                    log.warning("a worker that evaluated candidates was lost; others evaluate its own")
                    self._helpers.remove(lost)
            yield batch.found.pop(place)


class _Batch:
    """Candidates that are asked at once: which wait, which helper has which, what was found of which."""

    def __init__(self, asked: Sequence[Coefficients], evaluate: Callable[[Coefficients], Found]) -> None:
        self.found: dict[int, Found] = {}
        self._waiting = deque(enumerate(asked))
        self._evaluate = evaluate
        self._sent: dict[Any, tuple[Any, tuple[int, Coefficients]]] = {}

    def send(self, helper: Any, examine: Callable[[Coefficients, Any], Any]) -> None:
        """Gives the helper one, if it has none and more than one waits: the last is evaluated here."""
        if len(self._waiting) > 1 and all(helper is not busy for busy, _ in self._sent.values()):
            candidate = self._waiting.popleft()
            self._sent[examine(candidate[1], helper)] = (helper, candidate)

    def evaluate_one(self) -> None:
        """Evaluates one here, if there is one left."""
        if self._waiting:
            place, coefficients = self._waiting.popleft()
            self.found[place] = self._evaluate(coefficients)

    def collect(self) -> list[Any]:
        """Takes what was found meanwhile, and waits for it where nothing else is to do; returns helpers that were lost.

        Raises what a helper's evaluation raised.
        """
        if not self._sent:
            return []
        lost = []
        done, _ = ray.wait(list(self._sent), timeout=0 if self._waiting else None)
        for each in done:
            helper, candidate = self._sent.pop(each)
            try:
                self.found[candidate[0]] = got(each)
            except RayActorError:
                self._waiting.append(candidate)
                lost.append(helper)
        return lost


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(each) for name, each in arrays.items()}
