"""Find the recipe that makes a study's merge again of its experts' folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dfwe.config.tasks import tasks_of
from dfwe.errors import MergeError
from dfwe.merging.base import MergeMethod
from dfwe.merging.expert_array import Layout
from dfwe.merging.files.recipe_of_merge import FinishedMerge, MergeRecipe, recipe_of_expert, recipe_of_merge
from dfwe.models.checkpoint import Checkpoint
from dfwe.search.space import SETTING_PREFIX
from dfwe.stages.merge import MergeStage, expert_of

EXPERTS, PARENT = "experts", "parent"  # folders of a run


def method_of(stage: MergeStage) -> MergeMethod:
    """Return the merge's method with the numbers that were searched, too."""
    coefficients = stage.result(stage.family.context.store).card.result["coefficients"]
    tuned = {n.removeprefix(SETTING_PREFIX): value for n, value in coefficients.items() if n.startswith(SETTING_PREFIX)}
    return replace(stage.method, **tuned)  # type: ignore[type-var]


def stage_recipe(stage: MergeStage, *, method: MergeMethod, folder: Path) -> MergeRecipe:
    """Return the recipe of the merge whose files are in the folder; MergeError where there is none."""
    family, entry = stage.family, stage.result(stage.family.context.store)
    if not family.takes_external:
        raise MergeError("its heads are merged, too, and lie in a file of their own")
    if (expert := expert_of(entry)) is not None:
        return recipe_of_expert(f"./{EXPERTS}/{expert}")
    model = family.model(tasks_of(stage.target))
    layout = Layout.of(model)
    rows = dict(zip(layout.names, stage.tensor_coefficients(layout, entry.card.result["coefficients"]), strict=True))
    in_file = _names_in_file(model, plain=family.plain_network(model), folder=folder)
    return recipe_of_merge(
        FinishedMerge(
            method,
            [f"./{EXPERTS}/{name}" for name in stage.experts],
            f"./{PARENT}",
            {file_name: rows[name] for file_name, name in in_file.items()},
            has_other_names=any(file_name != name for file_name, name in in_file.items()),
        )
    )


def _names_in_file(model: Any, *, plain: Any, folder: Path) -> dict[str, str]:
    """Return the names that the merged tensors have in the model, by their names in its files."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    of_plain = {name: names.get(id(value)) for name, value in plain.named_parameters(remove_duplicate=False)}
    checkpoint = Checkpoint(folder)
    stored = {name: of_plain.get(name) for name in sorted(checkpoint.names) if checkpoint.spec(name).is_floating}
    if unknown := [name for name, merged in stored.items() if merged is None]:
        raise MergeError(f"its files hold {unknown[0]}, which is not among what was merged")
    return {name: merged for name, merged in stored.items() if merged is not None}
