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
from dfwe.records import Trial
from dfwe.search import nelder_mead
from dfwe.search.asked import check_asks
from dfwe.search.base import Search
from dfwe.search.space import Space
from dfwe.values.allowed import Count, Known, Name, Positive

Options = Annotated[Any, Known({"step": Positive, "adaptive": bool})]  # of an optimizer; those of ours are known


class NevergradSearch(Search):
    """A nevergrad optimizer by its registered name, starting around zero with unit scale.

    It gives `asks` points before it is told of the first, where it can: one is the plain optimizer, more are a
    population that learns later. `options` change the named optimizer's configuration (`step` and `adaptive` of
    `UnitNelderMead`, `crossover` of `DE`). All randomness comes from `seed`.

    Raises:
        SearchError: no optimizer has that name, it lacks one of the options, it cannot be asked that often, or it
            fails (now or in `ask` or `tell`), for instance because nevergrad leaves its package to the user to
            install.
    """

    def __init__(
        self, space: Space, *, optimizer: Name, seed: int, budget: Count, asks: Count = 1, **options: Options
    ) -> None:
        nelder_mead.register()
        parametrization = nevergrad.p.Array(shape=(space.dimensions,))
        # Through a SeedSequence, so that seeds of any length will do.
        parametrization.random_state = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
        self._budget, self._asks = budget, asks
        self._described = f"'{optimizer}'" + (f" with {options}" if options else "")
        with _errors_of(self._described):
            make = _configured(_registered(optimizer), name=optimizer, options=options)
            check_asks(asks, most=1 if _takes_one(make) else None, of=f"nevergrad's optimizer '{optimizer}'")
            self._optimizer = make(parametrization, budget=budget, num_workers=asks)
        self._pending: list[Any] = []

    @property
    def budget(self) -> int:
        """The number of evaluations, which some optimizers plan with."""
        return self._budget

    @property
    def compares_only(self) -> bool:
        """No: simplices and evolution strategies rank the worse candidates, too."""
        return False

    @property
    def asks(self) -> int:
        """As many as it was made for."""
        return self._asks

    @property
    def diameters(self) -> Sequence[float]:
        """Of the project's own Nelder-Mead; nevergrad's other optimizers tell of none."""
        return tuple(getattr(self._optimizer, "diameters", ()))

    def begin(self, known: Sequence[Trial]) -> None:
        """Nothing: an optimizer begins at the start, and learns by what it asked itself."""

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """The next point, or the oldest pending one; None once an optimizer has converged.

        nevergrad itself would go on with random points there, which would be another method than the one
        named. And asking some of its optimizers twice in a row would wait for ever.
        """
        if len(self._pending) == self._asks:
            return np.array(self._pending[0].value, dtype=np.float64)
        with _errors_of(self._described), warnings.catch_warnings():
            warnings.simplefilter("error", FinishedUnderlyingOptimizerWarning)
            try:
                self._pending.append(self._optimizer.ask())
            except FinishedUnderlyingOptimizerWarning:
                return None
        return np.array(self._pending[-1].value, dtype=np.float64)

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Pass the loss on; a point that was not asked is told as such."""
        same = [place for place, pending in enumerate(self._pending) if np.array_equal(point, pending.value)]
        unasked = self._optimizer.parametrization.spawn_child
        candidate = self._pending.pop(same[0]) if same else unasked(new_value=point)
        with _errors_of(self._described):
            self._optimizer.tell(candidate, loss)

    def close(self) -> None:
        """End the worker threads in which nevergrad runs scipy's and other foreign optimizers.

        They are not daemons: one that waits for its next loss keeps the process from ending.
        """
        for optimizer in _with_parts(self._optimizer):
            if isinstance(optimizer, RecastOptimizer) and optimizer._messaging_thread is not None:
                optimizer._messaging_thread.stop()


def _registered(name: str) -> Any:
    """The optimizer of that name."""
    registry = nevergrad.optimizers.registry
    if name in registry:
        return registry[name]
    by_lower = {known.lower(): known for known in registry}
    close = [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3)]
    hint = f"did you mean {', '.join(close)}?" if close else "`nevergrad.optimizers.registry` lists them."
    raise SearchError(f"nevergrad has no optimizer named '{name}' (merge.search.optimizer): {hint}")


def _configured(registered: Any, *, name: str, options: Mapping[str, Any]) -> Any:
    """The optimizer's family with its registered configuration, changed by the options."""
    if not options:
        return registered
    known: list[str] = []
    if isinstance(registered, base.ConfiguredOptimizer):
        known = list(inspect.signature(type(registered)).parameters)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise SearchError(
            f"nevergrad's optimizer '{name}' has no option {', '.join(unknown)} (under merge.search): "
            f"it knows {', '.join(known) or 'none'}"
        )
    return type(registered)(**{**registered.config(), **options})


def _takes_one(make: Any) -> bool:
    """Whether the optimizer must be told of each point before the next; a family or its class says so."""
    return bool(make.no_parallelization or getattr(make, "_OptimizerClass", make).no_parallelization)


@contextlib.contextmanager
def _errors_of(described: str) -> Iterator[None]:
    """Says whose error it is: of nevergrad's hundreds some lack a package or fail with a newer numpy."""
    try:
        yield
    except SearchError:
        raise
    except (AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
        raise SearchError(
            f"nevergrad's optimizer {described} failed: {error!r}; "
            "take another one (merge.search.optimizer), or check its options and packages"
        ) from error


def _with_parts(optimizer: Any) -> Iterator[Any]:
    """The optimizer and those it is composed of, such as the one that NGOpt has chosen."""
    yield optimizer
    for value in vars(optimizer).values():
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, base.Optimizer):
                yield from _with_parts(part)
