"""Define what a merge method is, a pure function of tensors, and which tensors share coefficients."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_type_hints

from jaxtyping import Float
from torch import Tensor

from dfwe.errors import ConfigurationError, MergeError
from dfwe.values.allowed import Pattern
from dfwe.values.check import check as check_value

AnyShape = Float[Tensor, "*shape"]  # one shape in each signature
REST = "rest"  # group of the tensors that belong to no other

_LAYER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class MethodProperties:
    """Describe a merge method to those who use it."""

    needs_parent: bool = False  # the experts' common parent
    needs_statistics: bool = False  # what experts' statistics stages collected (Fisher, Gram)
    is_elementwise: bool = False  # merges every value by itself, so that a tensor can be merged in blocks
    is_linear: bool = False  # the mean of coefficients gives the mean of their models
    is_ordered: bool = False  # the experts' order decides, too, as where each one's place draws a mask
    recovers_experts: bool = False  # with all weight on one expert the merge is that expert
    min_experts: int = 1
    max_experts: int | None = None
    merge_time_settings: tuple[str, ...] = ()  # that only merging reads: prepared state stays valid without them
    hides_bad_values: bool = False  # its result may be finite though a model has NaN or infinite values


@dataclass(frozen=True)
class RecipeFormat:
    """Describe how recipes in mergekit's format ask for a merge method.

    A recipe's parameters are the method's numbers, `lambda` standing for `scale`, with the defaults of conf/merge.
    `normalize` is mergekit's default of that parameter, and weights are then required. Without one (None) weights are
    always normalised, and all may be left out: experts then count alike.
    """

    base_model: Literal["origin", "start"] | None = None  # None: the parent if one is needed, else an expert
    defaults: Mapping[str, Any] = field(default_factory=dict)  # of settings whose default differs from conf/merge
    normalize: bool | None = None
    normalize_name: str = "normalize"
    switches: Mapping[str, type[MergeMethod]] = field(default_factory=dict)  # parameters that choose another class


@dataclass(frozen=True)
class TensorInfo:
    """Name a tensor and its depth: 0 for the first layer of its stack and outside of layers, 1 for the last layer."""

    name: str
    depth: float


@dataclass(frozen=True, eq=False)
class TensorGroup:
    """Hold one tensor, or a block of one, of every model that is merged."""

    info: TensorInfo
    experts: Sequence[AnyShape]
    parent_tensor: AnyShape | None = None
    statistics: Sequence[Tensor | None] = ()  # one per expert if the method needs them; None if that tensor has none
    begin: int = 0  # position of a block's first value in the whole tensor

    @property
    def parent(self) -> AnyShape:
        """Parent's tensor, for methods that need one."""
        assert self.parent_tensor is not None, "MethodProperties.needs_parent is not set"
        return self.parent_tensor

    def task_vectors(self) -> Iterator[AnyShape]:
        """Yield theta_i - theta_0 of each expert, one at a time, as new tensors."""
        return (self.task_vector(position) for position in range(len(self.experts)))

    def task_vector(self, position: int) -> AnyShape:
        """Return theta_i - theta_0 of the expert at that position, as a new tensor."""
        return self.experts[position] - self.parent


class MergeMethod(ABC):
    """Make one model of several, given one coefficient per expert; a frozen dataclass of its settings.

    On the simplex, equal coefficients give what the method's paper gives without any. The hooks `prepare_model`,
    `prepare_tensor`, `check_settings` and `notes` do nothing unless a method overrides them.
    """

    @property
    def recipe(self) -> RecipeFormat:
        """Form in which recipes ask for the method."""
        return RecipeFormat()

    @property
    @abstractmethod
    def properties(self) -> MethodProperties:
        """Properties of the method with these settings."""

    @abstractmethod
    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Return the merge of one tensor (of a block, if the method is elementwise) as a new tensor.

        Raises:
            MergeError: the method cannot use the coefficients.
        """

    def prepare_model(self, groups: Iterable[TensorGroup]) -> Any:
        """Compute once what depends on whole models (norms, thresholds): a small state. Tensors come whole."""
        return None

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> Any:
        """Compute once what depends on one whole tensor: the state that `merge_tensor` gets."""
        return state

    def check_settings(self) -> None:  # noqa: B027
        """Raise MergeError for settings that fields' annotations cannot express."""

    def notes(self, groups: Iterable[TensorGroup]) -> dict[str, Any]:
        """Return remarks on a merge of these whole tensors for readers of the results, as JSON values."""
        return {}

    def check(self, num_experts: int) -> None:
        """Check the settings and the number of experts, before anything is trained.

        Raises:
            MergeError: a setting is out of range, or the method does not merge so many experts.
        """
        hints = get_type_hints(type(self), include_extras=True)
        for setting in fields(self):  # type: ignore[arg-type]
            try:
                check_value(getattr(self, setting.name), hints[setting.name], key=setting.name)
            except ConfigurationError as error:
                raise MergeError(f"{method_name(self)}: {error}") from error
        self.check_settings()
        least, most = self.properties.min_experts, self.properties.max_experts
        if num_experts < least or (most is not None and num_experts > most):
            expected = str(least) if least == most else f"{least} {'or more' if most is None else f'to {most}'}"
            raise MergeError(f"{method_name(self)} merges {expected} models, not {num_experts}")


@dataclass(frozen=True)
class TensorWeights:
    """Weigh the experts, and their parent, in a sum."""

    experts: tuple[float, ...]
    parent: float = 0.0


class LinearMethod(MergeMethod):
    """Merge by a weighted sum of experts and parent in each tensor.

    A search writes the sum straight into the model, at the speed of the memory.
    """

    @abstractmethod
    def tensor_weights(self, coefficients: Sequence[float], *, tensor: TensorInfo, state: Any) -> TensorWeights:
        """Return the weights of that tensor."""

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Return the weighted sum of one tensor or block."""
        weights = self.tensor_weights(coefficients, tensor=group.info, state=state)
        if not self.properties.needs_parent:
            return weighted_sum(group.experts, weights.experts)
        return weighted_sum([group.parent, *group.experts], [weights.parent, *weights.experts])


class CoefficientGroups(ABC):
    """Assign every tensor to a group; each group has one coefficient per expert."""

    @abstractmethod
    def group_of(self, tensor: str) -> str:
        """Return the name of the tensor's group."""

    def names(self, tensors: Sequence[str]) -> tuple[str, ...]:
        """Return the groups' names in the order in which coefficients are given, that of their first tensors."""
        return tuple(dict.fromkeys(map(self.group_of, tensors)))

    def indices(self, tensors: Sequence[str]) -> list[int]:
        """Return the position of each tensor's group among the groups' names."""
        positions = {name: position for position, name in enumerate(self.names(tensors))}
        return [positions[self.group_of(tensor)] for tensor in tensors]


@dataclass(frozen=True)
class ByModel(CoefficientGroups):
    """Group all tensors: one coefficient per expert."""

    def group_of(self, tensor: str) -> str:
        """Return the empty name."""
        return ""


@dataclass(frozen=True)
class ByLayer(CoefficientGroups):
    """Group tensors by layer (`encoder.block.0`); those outside of layers are the group `rest`."""

    def group_of(self, tensor: str) -> str:
        """Return the name of the tensor's layer."""
        layer = layer_of(tensor)
        return REST if layer is None else f"{layer[0]}.{layer[1]}"


@dataclass(frozen=True)
class ByPattern(CoefficientGroups):
    """Group tensors by the first regular expression that matches their name; the others are the group `rest`."""

    patterns: Mapping[str, Pattern]  # by the group's name

    def names(self, tensors: Sequence[str]) -> tuple[str, ...]:
        """Return the patterns' names, and `rest` if needed; raise MergeError for a pattern that no tensor matches."""
        groups = set(map(self.group_of, tensors))
        for group, pattern in self.patterns.items():
            if group not in groups:
                raise MergeError(f"merge.by.patterns.{group}: '{pattern}' matches no tensor that is left for it")
        return tuple(self.patterns) + ((REST,) if REST in groups and REST not in self.patterns else ())

    def group_of(self, tensor: str) -> str:
        """Return the name of the first pattern that matches."""
        try:
            return next((group for group, pattern in self.patterns.items() if re.search(pattern, tensor)), REST)
        except re.error as error:
            raise MergeError(f"merge.by.patterns: {error.pattern!r} is not a regular expression ({error})") from error


def around_parent(weights: Iterable[float]) -> TensorWeights:
    """Return the weights of theta_0 + sum_i weight_i (theta_i - theta_0)."""
    experts = tuple(weights)
    return TensorWeights(experts, parent=1.0 - sum(experts))


def weighted_sum(tensors: Iterable[AnyShape], weights: Sequence[float]) -> AnyShape:
    """Return sum_i w_i x_i as a new tensor; nothing else is allocated."""
    remaining = iter(tensors)
    total = next(remaining) * weights[0]
    for tensor, weight in zip(remaining, weights[1:], strict=True):
        total.add_(tensor, alpha=weight)
    return total


def method_name(method: MergeMethod | type) -> str:
    """Return the method's name for messages: `task_arithmetic` for TaskArithmetic."""
    cls = method if isinstance(method, type) else type(method)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()


def require_parent(parent: object, *, method: MergeMethod) -> None:
    """Raise MergeError if there is no parent, or none is named, for a method that needs one."""
    if parent is None and method.properties.needs_parent:
        raise MergeError(
            f"{method_name(method)} needs the experts' common parent (a recipe's base_model, base=... of load_experts)"
        )


def check_simplex(coefficients: Sequence[float], *, method: MergeMethod) -> None:
    """Raise MergeError unless the coefficients are at least 0 and add up to 1."""
    if min(coefficients) < 0 or abs(sum(coefficients) - 1) > 1e-5:
        values = ", ".join(f"{value:.6g}" for value in coefficients)
        raise MergeError(
            f"{method_name(method)} needs coefficients that are at least 0 and add up to 1, not {values}: "
            "set merge.coefficients=simplex"
        )


def tensor_infos(names: Iterable[str]) -> list[TensorInfo]:
    """Return the tensors with their depths.

    As in mergekit, the first number in a tensor's name is its layer and what precedes it the stack; a stack's only
    layer has depth 1.
    """
    layers = {name: layer_of(name) for name in names}
    last: dict[str, int] = {}
    for layer in layers.values():
        if layer is not None:
            last[layer[0]] = max(layer[1], last.get(layer[0], 0))
    return [TensorInfo(name, _depth(layer, last=last)) for name, layer in layers.items()]


def layer_of(name: str) -> tuple[str, int] | None:
    """Return the stack and the number of the layer that the tensor belongs to; None outside of layers."""
    match = _LAYER.search(name)
    return (name[: match.start()], int(match[1])) if match else None


def _depth(layer: tuple[str, int] | None, *, last: Mapping[str, int]) -> float:
    if layer is None:
        return 0.0
    stack, number = layer
    return number / last[stack] if last[stack] else 1.0
