"""A merge's search with a surrogate in front of it, from its configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from dfwe.config.instantiate import bind, call
from dfwe.config.search_options import chosen
from dfwe.families.scorer import ModelScorer
from dfwe.search.base import Search
from dfwe.search.confirm import Rows
from dfwe.search.label_mixture import LabelMixture
from dfwe.search.space import Space
from dfwe.stages.train import TrainStage
from dfwe.store.store import Store

log = logging.getLogger(__name__)


def with_surrogate(
    search: Search,
    *,
    config: Mapping[str, Any],
    space: Space,
    scorer: ModelScorer,
    experts: Mapping[str, TrainStage],
    store: Store,
    seed: int,
    seen: Rows | None = None,
) -> Search:
    """The search, with the surrogate in front where one is asked for and the experts have label scores.

    It learns from the dev examples in `seen`, None for all.
    """
    used = chosen(config, "surrogate")
    if used is None:
        return search
    mixture = _mixture(scorer, experts=experts, store=store, seen=slice(None) if seen is None else seen)
    if mixture is None:
        return search
    made: Search = call(
        bind(used, _partial_=True), search, space=space, mixture=mixture, seed=seed, key="merge.search.surrogates"
    )
    return made


def _mixture(
    scorer: ModelScorer, *, experts: Mapping[str, TrainStage], store: Store, seen: Rows | slice
) -> LabelMixture | None:
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
    return LabelMixture(np.stack(known)[:, seen], counts[seen], scorer.scorer.score)
