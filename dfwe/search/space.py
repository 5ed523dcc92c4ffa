"""Search spaces: from any real vector to coefficients, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Coefficients

_LARGEST_LOGIT = 40.0  # of a value at the edge of its range
_ZERO_LOGIT = -2000.0  # of a coefficient of zero: exp gives exactly that, however small the other logits are

SETTING_PREFIX = "method."  # of tuned settings among a candidate's coefficients


@dataclass(frozen=True)
class Range:
    """Range of a number, from `low` to `high`.

    Raises:
        SearchError: the range is empty.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise SearchError(f"invalid range: low ({self.low}) must be less than high ({self.high})")

    def at(self, logit: float, *, start: float) -> float:
        """Return the value at a logit; 0 is the start, and steps get smaller towards both ends."""
        share = 1.0 / (1.0 + np.exp(-np.clip(logit + self._logit(start), -_LARGEST_LOGIT, _LARGEST_LOGIT)))
        return start if logit == 0 else float(self.low + (self.high - self.low) * share)

    def point(self, value: float, *, start: float) -> float:
        """Return the logit of a value, which must lie in the range."""
        return float(np.clip(self._logit(value) - self._logit(start), -_LARGEST_LOGIT, _LARGEST_LOGIT))

    def _logit(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        with np.errstate(divide="ignore"):
            return float(np.log(share) - np.log1p(-share))


@dataclass(frozen=True)
class Setting:
    """Tuned parameter of the merge method: its range, and where the search starts.

    Raises:
        SearchError: the start does not lie inside the range.
    """

    name: str
    box: Range
    start: float

    def __post_init__(self) -> None:
        if not self.box.low < self.start < self.box.high:
            raise SearchError(
                f"merge.tuned_parameters.{self.name}: the method's own value {self.start}, where the search starts, "
                f"must lie inside the range from {self.box.low} to {self.box.high}"
            )


@dataclass(frozen=True)
class Space:
    """Coefficients of each group's experts, on the simplex or in a range, and tuned parameters of the merge method.

    A point is a vector of real numbers of any size. The zero vector is the start: equal coefficients, and the method's
    own parameters. Coefficients are named by their expert, or `group/expert` if there are several groups; parameters
    are `method.name`.

    Raises:
        SearchError: equal coefficients do not lie inside the range.
    """

    experts: tuple[str, ...]
    groups: tuple[str, ...] = ("",)
    box: Range | None = None  # None: the simplex
    settings: tuple[Setting, ...] = ()
    vertices: bool = True  # all weight on one expert gives that expert, so that its score is the vertex's

    def __post_init__(self) -> None:
        if self.box is not None and not self.box.low < 1.0 / len(self.experts) < self.box.high:
            raise SearchError(
                f"merge.coefficients: equal coefficients ({1 / len(self.experts):.3g}), where the search starts, must "
                f"lie inside the range from {self.box.low} to {self.box.high}"
            )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of a candidate's values."""
        is_single = len(self.groups) == 1
        coefficients = [name if is_single else f"{group}/{name}" for group in self.groups for name in self.experts]
        return (*coefficients, *(f"{SETTING_PREFIX}{setting.name}" for setting in self.settings))

    @property
    def dimensions(self) -> int:
        """Length of a point."""
        return len(self.names)

    @property
    def start(self) -> Coefficients:
        """Candidate at the zero vector."""
        return self.at(np.zeros(self.dimensions))

    def at(self, point: Float[np.ndarray, " dimensions"]) -> Coefficients:
        """Return the candidate at a point."""
        num = len(self.groups) * len(self.experts)
        values: list[float] = []
        for logits in point[:num].reshape(len(self.groups), -1):
            if self.box is None:
                values += softmax(logits).tolist()
            else:
                values += [self.box.at(float(logit), start=1.0 / len(self.experts)) for logit in logits]
        for setting, logit in zip(self.settings, point[num:], strict=True):
            values.append(setting.box.at(float(logit), start=setting.start))
        return Coefficients(self.names, tuple(values))

    def point(self, coefficients: Coefficients) -> Float[np.ndarray, " dimensions"]:
        """Return a point of the candidate, approximately if it lies at an edge of a range.

        Raises:
            SearchError: the candidate is of another space.
        """
        if coefficients.names != self.names:
            raise SearchError(f"the search is over {self.names}, but a candidate is over {coefficients.names}")
        rows, settings = self.matrix(coefficients), self.values_of_settings(coefficients)
        if self.box is None:
            logits = np.log(rows, out=np.full_like(rows, _ZERO_LOGIT), where=rows > 0)
        else:
            start = 1.0 / len(self.experts)
            logits = np.array([[self.box.point(value, start=start) for value in row] for row in rows])
        values = [setting.box.point(settings[setting.name], start=setting.start) for setting in self.settings]
        return np.concatenate([logits.ravel(), values])

    def vertex(self, expert: str) -> Coefficients:
        """Return the candidate with all weight of every group on one expert, and the method's own parameters."""
        if expert not in self.experts:
            raise SearchError(f"no expert is named '{expert}': there are {', '.join(self.experts)}")
        row = tuple(1.0 if name == expert else 0.0 for name in self.experts)
        return self.candidate(np.array([row] * len(self.groups)))

    def parse(self, coefficients: Mapping[str, float]) -> Coefficients:
        """Return the candidate with these values by name."""
        return Coefficients(self.names, tuple(coefficients[name] for name in self.names))

    def candidate(
        self, rows: Float[np.ndarray, "groups experts"], settings: Mapping[str, float] | None = None
    ) -> Coefficients:
        """Return the candidate with these coefficients and settings, by default the method's own."""
        values = [(settings or {}).get(setting.name, setting.start) for setting in self.settings]
        return Coefficients(self.names, (*map(float, rows.ravel()), *values))

    def matrix(self, coefficients: Coefficients) -> Float[np.ndarray, "groups experts"]:
        """Return the candidate's coefficients."""
        num = len(self.groups) * len(self.experts)
        return coefficients.as_array()[:num].reshape(len(self.groups), -1)

    def values_of_settings(self, coefficients: Coefficients) -> dict[str, float]:
        """Return the candidate's settings by the method's names for them."""
        values = coefficients.values[len(self.groups) * len(self.experts) :]
        return {setting.name: value for setting, value in zip(self.settings, values, strict=True)}

    def draw(self, generator: np.random.Generator) -> Coefficients:
        """Draw a candidate uniformly from the space."""
        if self.box is None:
            rows = np.array([generator.dirichlet(np.ones(len(self.experts))) for _ in self.groups])
        else:
            rows = generator.uniform(self.box.low, self.box.high, (len(self.groups), len(self.experts)))
        return self.candidate(rows, {s.name: float(generator.uniform(s.box.low, s.box.high)) for s in self.settings})


def distance(coefficients: Coefficients, *, start: Coefficients) -> float:
    """Compute the Euclidean distance of two candidates, to 12 digits, so that mirrored mixtures are equally far."""
    return round(float(np.linalg.norm(coefficients.as_array() - start.as_array())), 12)


def softmax(logits: Float[np.ndarray, " experts"]) -> Float[np.ndarray, " experts"]:
    """Compute alpha_i = exp(z_i) / sum_j exp(z_j): coefficients in [0, 1] that sum to 1.

    Equal logits give exactly `Coefficients.uniform`; logits of any size are safe.
    """
    # not scipy's, which gives the same bits but takes a second to import, in every command that plans a study
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())
