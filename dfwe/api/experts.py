"""Experts in memory: load them for a model, merge them into it, search the coefficients."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dfwe.api.kinds import network_of
from dfwe.config.instantiate import bind, call
from dfwe.config.merges import option, search_space
from dfwe.errors import MergeError, did_you_mean
from dfwe.merging.base import MergeMethod, method_name
from dfwe.merging.expert_array import (
    Adapter,
    ExpertArray,
    Layout,
    copy_weights,
    flat_weights,
    read_adapter,
)
from dfwe.merging.files.findings import Preflight
from dfwe.merging.files.preflight import preflight as check_files
from dfwe.models.external import ExternalModel, named_models, names_in
from dfwe.records import Coefficients, Trial
from dfwe.search.base import Search
from dfwe.search.space import Space
from dfwe.seeding import derive
from dfwe.training.weight_search import Candidate, ScoreModel, WeightSearchResult, as_evaluation, run_weight_search

Model = str | Path | nn.Module  # a name as in `experts=` of a study, or a model in memory
_SEARCH, _BUDGET = "nelder_mead", 40  # the defaults of conf/merge


def preflight(
    models: Sequence[str | Path] | Mapping[str, str | Path], *, base: str | Path | None = None, out: str | Path = "."
) -> Preflight:
    """Check folders in Transformers' format before they are merged, as `dfwe preflight` does; nothing is loaded.

    `check()` of the result raises MergeError if there is a refusal. `out` is a folder on the disk whose room is
    checked.
    """
    named = models if isinstance(models, Mapping) else {str(model): model for model in models}
    paths = {name: Path(model) for name, model in named.items()}
    return check_files(paths, base=None if base is None else Path(base), out=Path(out))


def load_experts(
    experts: Sequence[Model] | Mapping[str, Model], *, model: nn.Module, base: Model | None = None
) -> ExpertArray:
    """Load experts of the architecture of `model`, whose own weights stay.

    An expert is a model in memory, a folder in Transformers' format, a name on the Hub, a `.safetensors` file, a
    Lightning checkpoint, or a LoRA folder, held as the factors of what it adds to the base, else to `model`. `base` is
    their common parent, which methods on task vectors need.

    Raises:
        MergeError: no expert; one has other parameters than the model.
        ModelError: an expert cannot be read, or its weights do not fit; two are the same.
    """
    models = _models(experts)
    if not models:
        raise MergeError("a merge needs at least one expert")
    layout = Layout.of(model)
    parent = None
    if base is not None:
        parent, source = torch.empty(layout.size), base if isinstance(base, nn.Module) else str(base)
        _copy_into(parent, network_of(source, like=model), layout=layout, name="base", release=source is not base)
    adapters = _adapters(models, model=model, base=parent)
    whole = {name: expert for name, expert in models.items() if adapters.get(name) is None}
    start = model
    if parent is not None and any(isinstance(expert, ExternalModel) for expert in whole.values()):
        start = copy.deepcopy(model)
        copy_weights(start, layout.views(parent))
    weights = torch.empty(len(whole), layout.size)
    for row, (name, expert) in zip(weights, whole.items(), strict=True):
        network, is_theirs = network_of(expert, like=start), isinstance(expert, nn.Module)
        _copy_into(row, network, layout=layout, name=name, release=not is_theirs)
    array = ExpertArray(tuple(models), layout, weights, parent)
    if len(whole) == len(models):
        return array
    start_weights = flat_weights(model) if parent is None else parent
    return replace(array, adapters=tuple(adapters.get(name) for name in models), base=start_weights)


def merge(
    model: nn.Module,
    experts: ExpertArray,
    weights: Mapping[str, float] | Sequence[float] | None = None,
    *,
    method: str | MergeMethod = "linear",
    **settings: Any,
) -> None:
    """Write the merge of the experts into the model's own parameters.

    `weights` has one coefficient per expert, 1/n each if left out. `method` is the name of an option in conf/merge, and
    `settings` are numbers of it, such as `density=0.3`.

    Raises:
        ConfigurationError: there is no such method.
        MergeError: another number of weights than of experts, a wrong setting, or a base model that is missing.
    """
    _check_experts(experts)
    coefficients = _coefficients(weights, names=experts.names)
    candidate = _candidate(model, experts, method=_method(method, settings))
    try:
        candidate.at(coefficients)
    finally:
        candidate.release()


def new_search(experts: ExpertArray, name: str = _SEARCH, *, budget: int = _BUDGET, seed: int = 0) -> Search:
    """Return a search over the experts' coefficients by the name of an option in conf/merge/search."""
    config = option("linear", search=name, budget=budget)
    space = search_space(config, method=_method("linear", {}), experts=experts.names, groups=("",))
    search: Search = call(bind(config["search"], _partial_=True), space=space, seed=seed, key="search")
    return search


def search_weights(
    model: nn.Module,
    experts: ExpertArray,
    score: ScoreModel,
    *,
    method: str | MergeMethod = "linear",
    search: str | Search = _SEARCH,
    budget: int = _BUDGET,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> WeightSearchResult:
    """Search the coefficients of a merge for the best score, and leave the model with the best weights.

    The experts are scored first, so that the result is never worse than the best of them on what is scored. The
    uniform merge follows, and `budget` mixtures in all.

    Args:
        model: The model, or a module that contains it.
        experts: What `load_experts` returned.
        score: A function of the model; it returns a number, higher is better, or what `evaluate` returns.
        method: The name of an option in conf/merge, or a merge method.
        search: The name of an option in conf/merge/search, or a search, which has a budget and a seed of its own.
        budget: The number of mixtures that are scored, the experts aside.
        seed: The seed of the search.
        settings: Numbers of the method, such as `{"density": 0.3}`.
        **options: Further options of `dfwe.training.weight_search.run_weight_search`.

    Raises:
        ConfigurationError: there is no such method or search.
        MergeError: the method needs a base model, or the model has other parameters than the experts.
        SearchError: a score is not a number.
    """
    _check_experts(experts)
    merge_method = _method(method, settings or {})
    merge_method.check(len(experts.names))
    if isinstance(search, str):
        search = new_search(experts, search, budget=budget, seed=derive(seed, "search"))
    trials = _score_experts(model, experts, score)
    return run_weight_search(
        model,
        experts,
        search,
        score,
        method=merge_method,
        initial_trials=trials,
        seed=derive(seed, "pick"),
        **options,
    )


def _score_experts(model: nn.Module, experts: ExpertArray, score: ScoreModel) -> tuple[Trial, ...]:
    candidate = _candidate(model, experts, method=_method("linear", {}))
    vertices = [Coefficients.vertex(experts.names, of=name) for name in experts.names]
    try:
        return tuple(Trial(0, "expert", at, as_evaluation(score(candidate.at_expert(at)))) for at in vertices)
    finally:
        candidate.release()


def _candidate(model: nn.Module, experts: ExpertArray, *, method: MergeMethod) -> Candidate:
    return Candidate(model, experts=experts, method=method, groups=None, space=Space(experts.names))


def _check_experts(experts: object) -> None:
    if not isinstance(experts, ExpertArray):
        raise MergeError(
            f"the second argument must be what load_experts returned, after the model, not a {type(experts).__name__}"
        )


def _method(method: str | MergeMethod, settings: Mapping[str, Any]) -> MergeMethod:
    result = bind(option(method, search=_SEARCH, budget=1)["method"]) if isinstance(method, str) else method
    assert isinstance(result, MergeMethod)
    if unknown := [name for name in settings if not hasattr(result, name)]:
        names = sorted(field.name for field in fields(result))  # type: ignore[arg-type]  # methods are dataclasses
        close = did_you_mean(unknown[0], names)
        raise MergeError(
            f"{method_name(result)} has no setting '{unknown[0]}'{close}: it has {', '.join(names) or 'none'}"
        )
    return replace(result, **settings) if settings else result  # type: ignore[type-var]


def _coefficients(weights: Mapping[str, float] | Sequence[float] | None, *, names: Sequence[str]) -> Coefficients:
    if weights is None:
        return Coefficients.uniform(names)
    by_name = dict(weights) if isinstance(weights, Mapping) else dict(zip(names, weights, strict=False))
    if set(by_name) != set(names) or len(weights) != len(names):
        raise MergeError(f"one weight for each of {', '.join(names)} is needed, not {len(weights)}: {weights}")
    return Coefficients(tuple(names), tuple(float(by_name[name]) for name in names))


def _models(experts: Sequence[Model] | Mapping[str, Model]) -> dict[str, ExternalModel | nn.Module]:
    """Return models in memory as they are, and all others as what is under their names."""
    if not isinstance(experts, Mapping) and not any(isinstance(expert, nn.Module) for expert in experts):
        return dict(named_models([str(expert) for expert in experts]))
    models = experts if isinstance(experts, Mapping) else {f"expert_{i}": model for i, model in enumerate(experts, 1)}
    paths = named_models({name: str(model) for name, model in models.items() if not isinstance(model, nn.Module)})
    return {name: model if isinstance(model, nn.Module) else paths[name] for name, model in models.items()}


def _adapters(
    models: Mapping[str, ExternalModel | nn.Module], *, model: nn.Module, base: Float[Tensor, " parameters"] | None
) -> dict[str, Adapter | None]:
    """Return what LoRA folders change of the base, or of the model; None where it changes two tied tensors."""
    external = {name: expert for name, expert in models.items() if not isinstance(expert, nn.Module)}
    folders = {name: expert.path for name, expert in external.items() if expert.form == "adapter"}
    if not folders:
        return {}
    base = flat_weights(model) if base is None else base
    layout, tied = Layout.of(model), names_in(model, of=model)
    return {
        name: read_adapter(folder, expert=name, layout=layout, base=base, tied=tied) for name, folder in folders.items()
    }


def _copy_into(
    row: Float[Tensor, " parameters"], network: nn.Module, *, layout: Layout, name: str, release: bool
) -> None:
    """Copy a network's weights; `release` frees each one that was copied, so that memory holds no model twice."""
    _check_layout(Layout.of(network), expected=layout, name=name)
    for view, parameter in zip(layout.views(row).values(), network.parameters(), strict=True):
        view.copy_(parameter.detach())
        if release:
            parameter.data = torch.empty(0)
    if not bool(row.isfinite().all()):
        raise MergeError(f"expert '{name}': {int((~row.isfinite()).sum())} weights are NaN or infinite")


def _check_layout(layout: Layout, *, expected: Layout, name: str) -> None:
    shapes, needed = (dict(zip(part.names, part.shapes, strict=True)) for part in (layout, expected))
    wrong = [tensor for tensor in {**needed, **shapes} if shapes.get(tensor) != needed.get(tensor)]
    if wrong or layout != expected:
        of_tensor = f" ({wrong[0]}: {shapes.get(wrong[0])}, {needed.get(wrong[0])})" if wrong else ""
        raise MergeError(
            f"expert '{name}' has other parameters than the model{of_tensor}: experts share their architecture"
        )
