"""A merge's search with a surrogate in front of it, from its configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from dfwe.errors import ConfigurationError
from dfwe.search.base import Search
from dfwe.search.label_mixture import LabelMixture
from dfwe.search.space import Space
from dfwe.stages.bench import AnyScorer
from dfwe.stages.binding import bind, call
from dfwe.stages.train import TrainStage
from dfwe.store.store import Store

log = logging.getLogger(__name__)

_KEYS = ("surrogate", "surrogates")


def plain_search(config: Mapping[str, Any]) -> dict[str, Any]:
    """`merge.search` without what says of surrogates."""
    return {key: value for key, value in config.items() if key not in _KEYS}


def surrogate_of(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What `merge.search.surrogate` names, None where it names nothing.

    Raises:
        ConfigurationError: there is no surrogate of that name.
    """
    name, known = config.get("surrogate"), config.get("surrogates", {})
    if name is None:
        return None
    if name not in known:
        raise ConfigurationError(
            f"merge.search.surrogate must be null or {', '.join(known) or 'left out'}, not '{name}'"
        )
    found: Mapping[str, Any] = known[name]
    return found


def search_spec(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of `merge.search` changes results: the numbers of a surrogate only where it is used."""
    used = surrogate_of(config)
    return plain_search(config) if used is None else {**plain_search(config), "surrogate": dict(used)}


def with_surrogate(
    search: Search,
    *,
    config: Mapping[str, Any],
    space: Space,
    scorer: AnyScorer,
    experts: Mapping[str, TrainStage],
    store: Store,
    seed: int,
) -> Search:
    """The search, with the surrogate in front where one is asked for and the experts have label scores."""
    used = surrogate_of(config)
    if used is None:
        return search
    mixture = _mixture(scorer, experts=experts, store=store)
    if mixture is None:
        return search
    made: Search = call(
        bind(used, _partial_=True), search, space=space, mixture=mixture, seed=seed, key="merge.search.surrogates"
    )
    return made


def _mixture(scorer: AnyScorer, *, experts: Mapping[str, TrainStage], store: Store) -> LabelMixture | None:
    counts = scorer.label_counts()
    if counts is None:
        log.warning("merge.search.surrogate is off: the task's answers are free text, which has no label scores")
        return None
    scores = {name: stage.label_scores(stage.result(store)) for name, stage in experts.items()}
    known = [each for each in scores.values() if each is not None]
    if len(known) < len(scores):
        without = ", ".join(name for name, each in scores.items() if each is None)
        log.warning("merge.search.surrogate is off: no label scores were kept when these were trained: %s", without)
        return None
    return LabelMixture(np.stack(known), counts, scorer.scorer.score)
