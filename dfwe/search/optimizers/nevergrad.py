"""Any nevergrad optimizer as a search: seeded, replayable, and gone when closed."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import nevergrad
import numpy as np
from jaxtyping import Float
from nevergrad.common.errors import FinishedUnderlyingOptimizerWarning
from nevergrad.optimization import base
from nevergrad.optimization.recaster import RecastOptimizer

from dfwe.errors import SearchError
from dfwe.search.base import Search
from dfwe.search.optimizers import nelder_mead
from dfwe.search.space import Space
from dfwe.values.allowed import Count, Known, Name, Positive

Options = Annotated[
    Any, Known({"step": Positive, "adaptive": bool})
]  # of an optimizer; those of the project's own are checked


class NevergradSearch(Search):
    """Run a nevergrad optimizer by its registered name, starting around zero with unit scale.

    It returns `batch_size` points before it needs a loss, if it can: 1 is the plain optimizer, more make a population
    that learns later. `options` change the configuration of the optimizer (`step` and `adaptive` of `UnitNelderMead`,
    `crossover` of `DE`). All randomness comes from `seed`. It starts at the zero vector and ignores initial trials.

    Raises:
        SearchError: no optimizer has that name, it lacks one of the options, its batches are smaller, or it fails (now
            or in `ask` or `tell`), for instance because nevergrad leaves its package to the user to install.
    """

    def __init__(
        self, space: Space, *, optimizer: Name, seed: int, budget: Count, batch_size: Count = 1, **options: Options
    ) -> None:
        nelder_mead.register()
        parametrization = nevergrad.p.Array(shape=(space.dimensions,))
        # Through a SeedSequence, so that seeds of any length will do.
        parametrization.random_state = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
        self.budget, self.batch_size = budget, batch_size
        self._description = f"'{optimizer}'" + (f" with {options}" if options else "")
        with _errors_of(self._description):
            make = _configure(_find(optimizer), name=optimizer, options=options)
            if batch_size > 1 and _is_sequential(make):
                raise SearchError(
                    f"merge.search.batch_size must be at most 1, not {batch_size}: "
                    f"nevergrad's optimizer '{optimizer}' learns from each loss in turn"
                )
            self._optimizer = make(parametrization, budget=budget, num_workers=batch_size)
        self._pending: list[Any] = []
        self.diameters: Sequence[float] = getattr(self._optimizer, "diameters", ())  # it grows

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """Return the next point, or the oldest of a full batch; None once an optimizer has converged.

        nevergrad itself would continue with random points there, which would be another method than the one named.
        Asking some of its optimizers twice in a row would wait for ever.
        """
        if len(self._pending) == self.batch_size:
            return np.array(self._pending[0].value, dtype=np.float64)
        with _errors_of(self._description), warnings.catch_warnings():
            warnings.simplefilter("error", FinishedUnderlyingOptimizerWarning)
            try:
                self._pending.append(self._optimizer.ask())
            except FinishedUnderlyingOptimizerWarning:
                return None
        return np.array(self._pending[-1].value, dtype=np.float64)

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Pass the loss on; a point that is not pending is passed as one that was not asked for."""
        indices = [index for index, pending in enumerate(self._pending) if np.array_equal(point, pending.value)]
        foreign = self._optimizer.parametrization.spawn_child
        candidate = self._pending.pop(indices[0]) if indices else foreign(new_value=point)
        with _errors_of(self._description):
            self._optimizer.tell(candidate, loss)

    def close(self) -> None:
        """Stop the worker threads in which nevergrad runs scipy's and other foreign optimizers.

        They are not daemons: one that waits for its next loss keeps the process from ending.
        """
        for optimizer in _with_parts(self._optimizer):
            if isinstance(optimizer, RecastOptimizer) and optimizer._messaging_thread is not None:
                optimizer._messaging_thread.stop()


def _find(name: str) -> Any:
    """Return the optimizer of that name."""
    registry = nevergrad.optimizers.registry
    if name in registry:
        return registry[name]
    by_lower = {entry.lower(): entry for entry in registry}
    close = [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    hint = f"did you mean {', '.join(close)}?" if close else "`nevergrad.optimizers.registry` lists them."
    raise SearchError(f"nevergrad has no optimizer named '{name}' (merge.search.optimizer): {hint}")


def _configure(registered: Any, *, name: str, options: Mapping[str, Any]) -> Any:
    """Return the optimizer's family with its registered configuration, changed by the options."""
    if not options:
        return registered
    names: list[str] = []
    if isinstance(registered, base.ConfiguredOptimizer):
        names = list(inspect.signature(type(registered)).parameters)
    unknown = sorted(set(options) - set(names))
    if unknown:
        raise SearchError(
            f"nevergrad's optimizer '{name}' has no option {', '.join(unknown)} (under merge.search): "
            f"it has {', '.join(names) or 'none'}"
        )
    return type(registered)(**{**registered.config(), **options})


def _is_sequential(make: Any) -> bool:
    """Return True if the optimizer needs each loss before the next point, as its family or its class declares."""
    return bool(make.no_parallelization or getattr(make, "_OptimizerClass", make).no_parallelization)


@contextlib.contextmanager
def _errors_of(description: str) -> Iterator[None]:
    """Name the optimizer in its errors: of nevergrad's hundreds some lack a package or fail with a newer numpy."""
    try:
        yield
    except SearchError:
        raise
    except (AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
        raise SearchError(
            f"nevergrad's optimizer {description} failed: {error!r}; "
            "set another one (merge.search.optimizer), or check its options and packages"
        ) from error


def _with_parts(optimizer: Any) -> Iterator[Any]:
    """Yield the optimizer and those it is composed of, such as the one that NGOpt runs."""
    yield optimizer
    for value in vars(optimizer).values():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, base.Optimizer):
                yield from _with_parts(part)
