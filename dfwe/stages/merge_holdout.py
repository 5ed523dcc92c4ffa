"""A merge's search with a part of dev that it does not see, from its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dfwe.config.instantiate import bind
from dfwe.config.search_options import chosen, shrinking
from dfwe.config.tasks import Objective, tasks_of
from dfwe.families.base import ModelFamily
from dfwe.records import Instance
from dfwe.search.base import Search
from dfwe.search.confirm import Confirm, Rows
from dfwe.search.confirmed import ConfirmedPick, check_shrink
from dfwe.search.part import Part
from dfwe.search.partial_search import PartialSearch
from dfwe.search.pick import Pick
from dfwe.search.space import Space
from dfwe.seeding import derive

Make = Callable[[Rows | None, tuple[str, ...]], Search]


def confirm_of(config: Mapping[str, Any]) -> Confirm | None:
    """What `merge.search.confirm` asks for, checked; raises what its classes raise."""
    check_shrink(shrinking(config))
    asked = chosen(config, "confirm")
    return None if asked is None else bind(asked)


def confirmed(
    make: Make,
    *,
    pick: Pick,
    config: Mapping[str, Any],
    space: Space,
    family: ModelFamily,
    target: Objective,
    seed: int,
) -> tuple[Search, Pick, tuple[Search, ...]]:
    """Search and pick as `merge.search.confirm` wants them, and the searches that `make` made for that.

    `make` is given the dev examples that a search sees (None: all) and what tells its seed from others'. The same
    examples are kept from every merge of a study.
    """
    confirm = confirm_of(config)
    if confirm is None:
        search = make(None, ())
        return search, pick, (search,)
    score = family.scorer(target, split="dev").scorer.score
    seen = confirm.seen(_strata(target, family=family), seed=derive(seed, "confirm"))
    inside = tuple(make(rows, (f"part {place}",)) for place, rows in enumerate(seen))
    search = PartialSearch(inside, parts=[Part(rows, score) for rows in seen], space=space)
    return search, ConfirmedPick(pick, search=search, shrink=shrinking(config)), inside


def _strata(target: Objective, *, family: ModelFamily) -> list[str]:
    """Each dev example's task and gold answer, in the order of its evaluations."""
    return [
        f"{task.name} {_gold(instance)}"
        for task in tasks_of(target)
        for instance in family.context.data.instances(task, split="dev")
    ]


def _gold(instance: Instance) -> str:
    return instance.references[0] if instance.candidates else ""
