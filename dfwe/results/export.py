"""Export a finished study's models as folders that leave with their card, and with the recipe of a merge."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dfwe import __version__
from dfwe.config.merges import search_space
from dfwe.config.tasks import Task, tasks_of
from dfwe.data.prompts.template import Sentences, Template
from dfwe.errors import MergeError
from dfwe.families.classifier.tasks import ClosedSet
from dfwe.io.files import make_folder, replacing_folder, write_json, write_text
from dfwe.merging.base import MergeMethod, method_name
from dfwe.merging.expert_array import Layout
from dfwe.merging.files.recipe_of_merge import MadeMerge, MergeRecipe, recipe_of_expert, recipe_of_merge
from dfwe.models.checkpoint import Checkpoint
from dfwe.models.origin import Origin, origin_of
from dfwe.report.model_card import ModelFacts, model_card
from dfwe.report.run_folder import BEST, CARD
from dfwe.report.study_results import as_study
from dfwe.stages.external_expert import ExternalExpert
from dfwe.stages.merge import MergeStage, expert_of
from dfwe.stages.parent import SourceParent
from dfwe.stages.train import TrainStage
from dfwe.studies.study import Study

ASKING, MERGED, RECIPE = "dfwe.json", "merged", "recipe.yaml"
EXPERTS, PARENT = "experts", "parent"
_RECIPE = """\
{name}, a merge for {target}, by dfwe {version}. Run it in the run's folder, that of experts/ and parent/:
  dfwe merge {folder}/recipe.yaml FOLDER
{kit}
Where experts/ is missing, repeat the study's command with export_experts=true: it trains nothing twice."""
_KIT = "  mergekit-yaml {folder}/recipe.yaml FOLDER"


def export_models(
    study: Study, *, results: Mapping[str, Any], folder: Path, max_shard_size: str, with_experts: bool
) -> None:
    """Write the headline's merge into `merged/`, and the recommended model into `best/`, each with its card.

    Where they are one model `best/` is a copy: a folder of its own, which may be changed without the other. With
    `with_experts` the models that they are merged of follow, for their recipes.
    """
    recommended = results["recommended"].get("name")
    exports = {MERGED: study.headline, BEST: recommended}
    for place, name in exports.items():
        if name is None:
            continue
        with replacing_folder(folder / place, mark=ASKING) as new:
            if place == BEST and recommended == study.headline:
                shutil.copytree(folder / MERGED, new, dirs_exist_ok=True)
            else:
                _write_model(study, name, folder=new, max_shard_size=max_shard_size)
            facts = _write_recipe(study, name, folder=new, place=place)
            write_text(new / CARD, model_card(as_study(results), name=name, facts=facts))
    if with_experts:
        _export_experts(study, [*exports.values()], folder=folder, max_shard_size=max_shard_size)


def _write_model(study: Study, name: str, *, folder: Path, max_shard_size: str) -> None:
    """Write the model of that name; `dfwe.json` there records how it was made and how it is asked."""
    stage = study.models[name]
    assert isinstance(stage, TrainStage | MergeStage), "an ensemble is not a single model"
    entry = stage.result(study.family.context.store)
    merged = isinstance(stage, MergeStage)
    content = {
        "model": name,
        "family": study.family.name,
        "merge": name if merged else None,
        "coefficients": entry.card.result["coefficients"] if merged else None,
        "target": study.objective.short if isinstance(study.objective, Task) else None,
        "tasks": {task.short: dict(task.config) for task in study.tasks.values()},
    }
    asking = study.family.export(stage.model(entry), folder, max_shard_size=max_shard_size)
    write_json(folder / ASKING, content | asking)


def _export_experts(study: Study, names: list[str | None], *, folder: Path, max_shard_size: str) -> None:
    """Write the experts of these merges, and their parent, as folders in Transformers' format."""
    merges = [stage for name in names if name and isinstance(stage := study.models[name], MergeStage)]
    store = study.family.context.store
    if merges:
        make_folder(folder / EXPERTS)
    for name, stage in {name: expert for merge in merges for name, expert in merge.experts.items()}.items():
        with replacing_folder(folder / EXPERTS / name, mark=ASKING) as new:
            study.family.export(stage.model(stage.result(store)), new, max_shard_size=max_shard_size)
            write_json(new / ASKING, {"model": name, "family": study.family.name})
    if any(stage.method.properties.needs_parent for stage in merges):
        with replacing_folder(folder / PARENT, mark=ASKING) as new:
            model = study.family.model(tasks_of(merges[0].target))
            study.family.export(model, new, max_shard_size=max_shard_size)
            write_json(new / ASKING, {"model": PARENT, "family": study.family.name})


def _write_recipe(study: Study, name: str, *, folder: Path, place: str) -> ModelFacts:
    """Write the recipe where the model is a merge that a recipe can say; return what its card says of the model."""
    stage = study.models[name]
    facts = ModelFacts(origins=list(_origins(study, name)), asked=_asked(study))
    if not isinstance(stage, MergeStage):
        return facts
    method = _method(stage)
    settings = {key: value for key, value in vars(method).items() if value is not None}
    search = stage.config["search"]
    facts = replace(
        facts,
        is_merge=True,
        method=method_name(method),
        settings=settings,
        search=f"searched by {search['_target_'].rsplit('.', 1)[-1]}",
        paper=type(method).__doc__ or "",
    )
    try:
        recipe = _recipe(stage, method=method, folder=folder)
    except MergeError as error:
        return replace(facts, recipe=f"There is no recipe.yaml of this merge: {error}.")
    kit = f"mergekit cannot repeat it: {recipe.not_in_mergekit}." if recipe.not_in_mergekit else ""
    comment = _RECIPE.format(
        name=name, target=study.objective.name, version=__version__, folder=place, kit=kit or _KIT.format(folder=place)
    )
    write_text(folder / RECIPE, recipe.text(comment))
    also = kit or "mergekit gives the same weights by it."
    return replace(facts, recipe=f"recipe.yaml makes these weights again of the experts, by dfwe merge. {also}")


def _method(stage: MergeStage) -> MergeMethod:
    """Return the merge's method with the numbers that were searched, too."""
    coefficients = stage.result(stage.family.context.store).card.result["coefficients"]
    found = {name.removeprefix("method."): value for name, value in coefficients.items() if name.startswith("method.")}
    return replace(stage.method, **found)  # type: ignore[type-var]


def _recipe(stage: MergeStage, *, method: MergeMethod, folder: Path) -> MergeRecipe:
    """Return the recipe of the merge whose files are in the folder; MergeError where there is none."""
    family, entry = stage.family, stage.result(stage.family.context.store)
    if not family.takes_external:
        raise MergeError("its heads are merged, too, and lie in a file of their own")
    if (kept := expert_of(entry)) is not None:
        return recipe_of_expert(f"./{EXPERTS}/{kept}")
    model = family.model(tasks_of(stage.target))
    names = list(Layout.of(model).names)
    groups = stage.groups.names(names)
    space = search_space(stage.config, method=stage.method, experts=tuple(stage.experts), groups=groups)
    matrix = space.matrix(space.parse(entry.card.result["coefficients"]))
    rows = {name: tuple(map(float, matrix[row])) for name, row in zip(names, stage.groups.indices(names), strict=True)}
    in_file = _names_in_file(model, plain=family.plain_network(model), folder=folder)
    return recipe_of_merge(
        MadeMerge(
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
    if unknown := [name for name, own in stored.items() if own is None]:
        raise MergeError(f"its files hold {unknown[0]}, which is not among what was merged")
    return {name: own for name, own in stored.items() if own is not None}


def _origins(study: Study, name: str) -> Iterator[Origin]:
    """Yield the models that came from elsewhere: the base model, and of a merge, or by itself, experts."""
    stage, base = study.models[name], study.family.base_model
    source = getattr(base, "source", None) if isinstance(base, SourceParent) else None
    yield origin_of(getattr(source, "name", base.title), title=base.title.removeprefix("parent "))
    experts = stage.experts if isinstance(stage, MergeStage) else {name: stage}
    for key, expert in experts.items():
        if isinstance(expert, ExternalExpert):
            yield origin_of(expert.external.name, title=key)


def _asked(study: Study) -> str:
    """Say in words what the model's texts look like."""
    tasks = tasks_of(study.objective)
    prompt = tasks[0].prompt.prompt if isinstance(tasks[0].prompt, ClosedSet) else tasks[0].prompt
    if len(tasks) == 1 and isinstance(prompt, Template):
        return f"Its texts look like this, with columns of a table in braces: {prompt.context}{prompt.prompt}"
    if len(tasks) == 1 and isinstance(prompt, Sentences):
        return f"Its texts are columns of a table as they are: {', '.join(prompt.columns)}."
    return "The task's form of a text is in dfwe.json; dfwe.predict makes it."
