"""A function of the user's own as a metric: `{_target_: my_module.my_function}`, or a function of a file."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dfwe.errors import ConfigurationError, DfweError, MetricError
from dfwe.metrics.base import Counts, Metric, References
from dfwe.values.allowed import Name


class OwnFunction:
    """A user's function by its name, `module:function`, `module.function` or `file.py:function`; imported once.

    It is pickled as its name. One that a stranger's file names is not `trusted`: it is never imported, and refuses to
    score.

    Raises:
        ConfigurationError: there is no such function, or its module cannot be imported.
    """

    def __init__(self, name: str, trusted: bool = True) -> None:
        self.name, self.trusted = name, trusted
        self.call: Callable[..., Any] = _imported(name) if trusted else _refused(name)

    def __reduce__(self) -> tuple[type[OwnFunction], tuple[str, bool]]:
        return OwnFunction, (self.name, self.trusted)

    @cached_property
    def digest(self) -> str:
        """Digest of the source file: another one may give other scores; of code without source, of the name."""
        path = inspect.getsourcefile(inspect.unwrap(self.call)) if inspect.isroutine(self.call) else None
        content = self.name.encode() if path is None else Path(path).read_bytes()
        return hashlib.sha256(content).hexdigest()[:16]


@dataclass(frozen=True)
class FunctionMetric(Metric):
    """A user's function of all predictions (a list of texts) and all references (for each a list of texts).

    It returns one number, of which higher is better unless `higher_is_better` is false: then the score is its
    negative. Nothing is known of its form, so that a resample of the examples is a call of its own.
    """

    function: OwnFunction
    higher_is_better: bool = True

    num_counts = 0

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return empty rows: the function is not one of sums."""
        return np.zeros((len(predictions), 0))

    def best_counts(self, references: References) -> None:
        """Return None: nothing is known of the function."""

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Raise MetricError: see `of`."""
        raise MetricError(f"the metric {self.function.name} is no function of sums")

    def of(self, predictions: Sequence[str], *, references: References) -> float:
        """Return the score of these answers.

        Raises:
            MetricError: the function raises, or returns something else than a finite number.
        """
        name = self.function.name
        try:
            value = self.function.call(list(predictions), [list(texts) for texts in references])
        except DfweError:
            raise
        except Exception as error:  # a user's code, which may raise anything
            raise MetricError(f"the metric {name} raised {type(error).__name__}: {error}") from error
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
            raise MetricError(f"the metric {name} returned a {type(value).__name__}: return one number, as a float")
        number = float(value)
        if not math.isfinite(number):
            raise MetricError(
                f"the metric {name} returned {number} for {len(predictions)} examples: return a finite number for any"
            )
        return number if self.higher_is_better else 0.0 - number  # no -0.0

    def check(self, references: References) -> None:
        """Try the function on gold answers, on one answer to all, and on a resample; errors as of `of`."""
        gold = [texts[0] for texts in references]
        places = np.random.default_rng(0).integers(len(gold), size=len(gold)).tolist()
        self.of(gold, references=references)
        self.of(gold[:1] * len(gold), references=references)
        self.of([gold[place] for place in places], references=[references[place] for place in places])


def own_function(function: Name, higher_is_better: bool = True) -> FunctionMetric:
    """Return the metric of the user's function of that name; ConfigurationError where it cannot be imported."""
    return FunctionMetric(OwnFunction(function), higher_is_better)


def unread(config: Any) -> FunctionMetric | None:
    """Return the metric of a function that a stranger's file names, which is not imported; None for other metrics."""
    if not isinstance(config, Mapping) or config.get("_target_") != f"{__name__}.{own_function.__name__}":
        return None
    return FunctionMetric(OwnFunction(str(config.get("function")), trusted=False))


def _refused(name: str) -> Callable[..., Any]:
    def call(*_: Any) -> Any:
        raise MetricError(f"the metric '{name}' is code that a file names: add --trust if you know who wrote it")

    return call


def _imported(name: str) -> Callable[..., Any]:
    module, _, function = name.rpartition(":" if ":" in name else ".")
    if not module or not function:
        raise ConfigurationError(f"the metric '{name}' must be module:function or file.py:function")
    try:
        call = getattr(_module(module), function, None)
    except Exception as error:  # whatever a user's module raises when it is imported
        raise ConfigurationError(
            f"the metric '{name}' cannot be imported: {type(error).__name__}: {error}; set PYTHONPATH to the folder of "
            "a module, or name a file, file.py:function"
        ) from error
    if not callable(call):
        raise ConfigurationError(f"the metric '{name}': {module} has no function {function}")
    return call  # type: ignore[no-any-return]


def _module(name: str) -> Any:
    if not name.endswith(".py"):
        return importlib.import_module(name)
    path = Path(name).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
