"""Any nevergrad optimizer as a search: seeded, replayable, and gone when closed; a Nelder-Mead that moves among them.

nevergrad 1.0.12's own `NelderMead` starts from a simplex with edges of 0.00025 in standardised space, which a metric
that is a step function (a share of right answers) cannot see, and runs in a worker thread. `UnitNelderMead` takes unit
steps, by plain ask and tell.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any

import nevergrad
import numpy as np
from jaxtyping import Float
from nevergrad.common.errors import FinishedUnderlyingOptimizerWarning
from nevergrad.optimization import base
from nevergrad.optimization.recaster import RecastOptimizer

from dfwe.errors import SearchError
from dfwe.search.base import Search
from dfwe.search.space import Space
from dfwe.values.allowed import Count, Known, Name, Positive

REGISTERED_NAME = "UnitNelderMead"

Point = Float[np.ndarray, " dimensions"]
Options = Annotated[Any, Known({"step": Positive, "adaptive": bool})]  # those of other optimizers are not checked


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
        register()
        parametrization = nevergrad.p.Array(shape=(space.dimensions,))
        # Through a SeedSequence, so that seeds of any length will do.
        parametrization.random_state = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
        self.budget, self.batch_size = budget, batch_size
        self._description = f"'{optimizer}'" + (f" with {options}" if options else "")
        with _errors_of(self._description):
            make = _configure(_find(optimizer), name=optimizer, options=options)
            family = getattr(make, "_OptimizerClass", make)
            if batch_size > 1 and (make.no_parallelization or family.no_parallelization):
                raise SearchError(
                    f"merge.search.batch_size must be at most 1, not {batch_size}: "
                    f"nevergrad's optimizer '{optimizer}' learns from each loss in turn"
                )
            self._optimizer = make(parametrization, budget=budget, num_workers=batch_size)
        self._pending: list[Any] = []
        self.diameters: Sequence[float] = getattr(self._optimizer, "diameters", ())  # it grows

    def ask(self) -> Point | None:
        """Return the next point; None once an optimizer has converged.

        nevergrad itself would continue with random points there, which would be another method than the one named.
        """
        with _errors_of(self._description), warnings.catch_warnings():
            warnings.simplefilter("error", FinishedUnderlyingOptimizerWarning)
            try:
                self._pending.append(self._optimizer.ask())
            except FinishedUnderlyingOptimizerWarning:
                return None
        return np.array(self._pending[-1].value, dtype=np.float64)

    def tell(self, point: Point, *, loss: float) -> None:
        """Pass the loss on."""
        index = next(index for index, pending in enumerate(self._pending) if np.array_equal(point, pending.value))
        with _errors_of(self._description):
            self._optimizer.tell(self._pending.pop(index), loss)

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


@dataclass(frozen=True)
class Moves:
    """Coefficients of reflection, expansion, contraction and shrinkage of the simplex."""

    reflection: float
    expansion: float
    contraction: float
    shrink: float

    @classmethod
    def of(cls, dimensions: int, *, adaptive: bool) -> Moves:
        """Return the coefficients of Nelder and Mead (1965), or those Gao and Han (2012) adapt to the dimension n.

        Adaptive: (1, 1 + 2/n, 3/4 - 1/(2n), 1 - 1/n). With n = 1 that would shrink to a
        point, so one dimension has the standard coefficients (1, 2, 1/2, 1/2) in both cases.
        """
        if not adaptive or dimensions == 1:
            return cls(1.0, 2.0, 0.5, 0.5)
        n = dimensions
        return cls(1.0, 1.0 + 2.0 / n, 0.75 - 1.0 / (2.0 * n), 1.0 - 1.0 / n)


def nelder_mead(
    start: Point, *, step: float, moves: Moves, diameters: list[float] | None = None
) -> Generator[Point, float, None]:
    """Yield points and receive their losses, for ever.

    Nelder and Mead (1965), with the cases and inequalities as Gao and Han (2012) write them.
    The first simplex is `start` and one point per axis, `step` away. Equal losses keep their order of
    arrival, a new point behind the older ones. The diameter is appended to `diameters` before each iteration.
    """
    corners = [start.copy()] + [start + step * axis for axis in np.eye(len(start))]
    losses = []
    for corner in corners:
        losses.append((yield corner))
    while True:
        if diameters is not None:
            diameters.append(max(float(np.linalg.norm(a - b)) for a, b in combinations(corners, 2)))
        order = np.argsort(losses, kind="stable")
        corners, losses = [corners[i] for i in order], [losses[i] for i in order]
        replacement = yield from _replacement(corners, losses=losses, moves=moves)
        if replacement is not None:
            corners[-1], losses[-1] = replacement
            continue
        for i in range(1, len(corners)):
            corners[i] = corners[0] + moves.shrink * (corners[i] - corners[0])
            losses[i] = yield corners[i]


def _replacement(
    corners: list[Point], *, losses: list[float], moves: Moves
) -> Generator[Point, float, tuple[Point, float] | None]:
    """Yield trial points and return the worst corner's replacement with its loss; None if the simplex must shrink."""
    centroid = np.mean(corners[:-1], axis=0)
    away = centroid - corners[-1]
    reflected = centroid + moves.reflection * away
    reflected_loss = yield reflected
    if reflected_loss < losses[0]:
        expanded = centroid + moves.reflection * moves.expansion * away
        expanded_loss = yield expanded
        return (expanded, expanded_loss) if expanded_loss < reflected_loss else (reflected, reflected_loss)
    if reflected_loss < losses[-2]:
        return reflected, reflected_loss
    if reflected_loss < losses[-1]:
        outside = centroid + moves.contraction * moves.reflection * away
        outside_loss = yield outside
        return (outside, outside_loss) if outside_loss <= reflected_loss else None
    inside = centroid - moves.contraction * away
    inside_loss = yield inside
    return (inside, inside_loss) if inside_loss < losses[-1] else None


class _NelderMead(base.Optimizer):  # type: ignore[misc]  # nevergrad is not typed
    """Run the simplex behind nevergrad's ask and tell, in standardised space, from the centre."""

    no_parallelization = True

    def __init__(
        self,
        parametrization: Any,
        budget: int | None = None,
        num_workers: int = 1,
        *,
        step: float,
        adaptive: bool,
    ) -> None:
        super().__init__(parametrization, budget=budget, num_workers=num_workers)
        moves = Moves.of(self.dimension, adaptive=adaptive)
        self.diameters: list[float] = []
        self._points = nelder_mead(np.zeros(self.dimension), step=step, moves=moves, diameters=self.diameters)
        self._pending = next(self._points)
        self._candidates_of_pending: set[str] = set()

    def _internal_ask_candidate(self) -> Any:
        """Return the pending point as a new candidate, since nevergrad wants a new object each time."""
        candidate = self.parametrization.spawn_child().set_standardized_data(self._pending)
        self._candidates_of_pending.add(candidate.uid)
        return candidate

    def _internal_tell_candidate(self, candidate: Any, loss: float) -> None:
        """Move on from the pending point; ignore a second candidate for the same point."""
        if candidate.uid not in self._candidates_of_pending:
            return
        self._candidates_of_pending.clear()
        self._pending = self._points.send(loss)

    def _internal_tell_not_asked(self, candidate: Any, loss: float) -> None:
        """Ignore the point: nevergrad archives it, and the simplex must not be derailed."""


class NelderMeadFamily(base.ConfiguredOptimizer):  # type: ignore[misc]  # nevergrad is not typed
    """Create Nelder-Mead optimizers, like nevergrad's other families.

    `step` is the edge of the first simplex along each axis in standardised space, `adaptive` takes the
    coefficients of Gao and Han (2012). nevergrad demands defaults here; the project's YAML states both.
    """

    def __init__(self, *, step: float = 1.0, adaptive: bool = False) -> None:
        super().__init__(_NelderMead, {"step": step, "adaptive": adaptive})


def register() -> None:
    """Register the optimizer with nevergrad, once per process."""
    if REGISTERED_NAME not in nevergrad.optimizers.registry:
        NelderMeadFamily().set_name(REGISTERED_NAME, register=True)
