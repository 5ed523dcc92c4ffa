"""Evaluate a merge's candidates in several processes, which read one copy of the experts per machine."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import ray
import torch
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayActorError, RayTaskError, WorkerCrashedError
from torch import Tensor

from dfwe.errors import DfweError, ExecutorError
from dfwe.merging.expert_array import ExpertArray
from dfwe.records import Coefficients, Evaluation
from dfwe.search.trial_runner import EvaluateOne, TimedEvaluation
from dfwe.stages.candidate_pool import CandidatePool


@dataclass(frozen=True, eq=False)
class SharedArray:
    """An experts' array as NumPy's, which Ray's processes read where it lies: nothing may be written there."""

    form: ExpertArray  # of tensors without storage
    arrays: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, array: ExpertArray) -> SharedArray:
        """Wrap the array without a copy."""
        arrays: list[np.ndarray] = []

        def take(tensor: Tensor) -> Tensor:
            arrays.append(tensor.numpy())
            return tensor.to("meta")

        return cls(array.map(take), tuple(arrays))

    def array(self) -> ExpertArray:
        """Return the array in tensors, without a copy."""
        arrays = iter(self.arrays)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")  # nobody writes
            return self.form.map(lambda tensor: torch.from_numpy(next(arrays)))


class RayCandidatePool(CandidatePool):
    """The process that searches, and helpers: actors that Ray starts wherever there is room.

    `start_helper` takes the reference of a SharedArray and returns an actor with `ready` and `evaluate`. A helper that
    is lost is restarted by Ray, with its candidate.
    """

    def __init__(self, start_helper: Callable[[Any], Any], *, num_helpers: int) -> None:
        self._start_helper, self._num_helpers = start_helper, num_helpers
        self._helpers: list[Any] = []
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, int | None]] = {}  # helper and candidate by reference; None: it is starting

    def share(self, array: ExpertArray) -> ExpertArray:
        """Put the array into Ray's object store, which every machine holds once, and start the helpers."""
        reference = ray.put(SharedArray.of(array))
        self._helpers = [self._start_helper(reference) for _ in range(self._num_helpers)]
        self._busy = {helper.ready.remote(): (helper, None) for helper in self._helpers}
        shared: SharedArray = ray.get(reference)
        return replace(shared.array(), layout=array.layout)

    def evaluate_batch(
        self, candidates: Sequence[Coefficients], best: Evaluation | None, evaluate_one: EvaluateOne, /
    ) -> Iterator[TimedEvaluation]:
        """Give candidates to helpers as long as more than one waits; evaluate the others here."""
        waiting, results = deque(enumerate(candidates)), dict[int, TimedEvaluation]()
        best_reference = ray.put(best)
        for number in range(len(candidates)):
            while number not in results:
                self._collect(results, timeout=0.0 if waiting else None)
                while len(waiting) > 1 and self._idle:
                    helper, (place, coefficients) = self._idle.pop(), waiting.popleft()
                    self._busy[helper.evaluate.remote(coefficients, best_reference)] = (helper, place)
                if waiting:
                    place, coefficients = waiting.popleft()
                    results[place] = evaluate_one(coefficients, best)
            yield results.pop(number)

    def close(self) -> None:
        """End the helpers."""
        for helper in self._helpers:
            ray.kill(helper)

    def _collect(self, results: dict[int, TimedEvaluation], *, timeout: float | None) -> None:
        """Take finished evaluations, and helpers that have started; raise what a helper raised."""
        if not self._busy:
            return
        done, _ = ray.wait(list(self._busy), num_returns=len(self._busy) if timeout == 0 else 1, timeout=timeout)
        for reference in done:
            helper, place = self._busy.pop(reference)
            result = get_result(reference, title="a candidate's evaluation")
            self._idle.append(helper)
            if place is not None:
                results[place] = result


def get_result(reference: Any, *, title: str) -> Any:
    """Return a Ray result; raise the user's errors as the worker raised them.

    Raises:
        ExecutorError: its worker was lost once more than Ray was to try.
    """
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, DfweError):
            raise error.cause from None
        raise  # a mistake of ours: its text says where in the worker
    except (WorkerCrashedError, OutOfMemoryError, NodeDiedError, RayActorError) as error:
        raise ExecutorError(
            f"{title}: its worker was lost once more than executor.retries allows ({str(error).splitlines()[0]}); "
            "check that the memory suffices for executor.workers, then run the same command to resume"
        ) from error
