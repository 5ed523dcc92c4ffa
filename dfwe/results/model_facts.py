"""Say how an exported model was made: what its card tells, and the recipe that makes a merge again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dfwe import __version__
from dfwe.config.tasks import tasks_of
from dfwe.data.prompts.template import Sentences, Template
from dfwe.errors import MergeError
from dfwe.families.classifier.tasks import ClosedSet
from dfwe.io.files import write_text
from dfwe.merging.base import method_name
from dfwe.models.origin import Origin, origin_of
from dfwe.report.model_card import ModelFacts
from dfwe.results.merge_recipe import method_of, stage_recipe
from dfwe.stages.external_expert import ExternalExpert
from dfwe.stages.merge import MergeStage
from dfwe.stages.parent import SourceParent
from dfwe.studies.study import Study

RECIPE = "recipe.yaml"
_RECIPE = """\
{name}, a merge for {target}, by dfwe {version}. Run it in the run's folder, that of experts/ and parent/:
  dfwe merge {folder}/recipe.yaml FOLDER
{kit}
Where experts/ is missing, repeat the study's command with export_experts=true: it trains nothing twice."""
_KIT = "  mergekit-yaml {folder}/recipe.yaml FOLDER"


def describe_model(study: Study, name: str, *, folder: Path, place: str) -> ModelFacts:
    """Write the recipe where the model is a merge that a recipe can say; return what its card says of the model."""
    stage = study.models[name]
    facts = ModelFacts(origins=list(_origins(study, name)), asked=_asked(study), template=_template(study) or "{text}")
    if not isinstance(stage, MergeStage):
        return facts
    method = method_of(stage)
    settings = {key: value for key, value in vars(method).items() if value is not None}
    search, is_uniform = stage.config["search"], stage.config["selection"]["_target_"].endswith(".Uniform")
    facts = replace(
        facts,
        is_merge=True,
        method=method_name(method),
        settings=settings,
        search="" if is_uniform else f"searched by {search.get('optimizer') or search['_target_'].rsplit('.', 1)[-1]}",
        paper=type(method).__doc__ or "",
    )
    try:
        recipe = stage_recipe(stage, method=method, folder=folder)
    except MergeError as error:
        return replace(facts, recipe=f"There is no recipe.yaml of this merge: {error}.")
    kit = f"mergekit cannot repeat it: {recipe.not_in_mergekit}." if recipe.not_in_mergekit else ""
    comment = _RECIPE.format(
        name=name, target=study.objective.name, version=__version__, folder=place, kit=kit or _KIT.format(folder=place)
    )
    write_text(folder / RECIPE, recipe.text(comment))
    also = kit or "mergekit gives the same weights by it."
    return replace(facts, recipe=f"recipe.yaml makes these weights again of the experts, by dfwe merge. {also}")


def _origins(study: Study, name: str) -> Iterator[Origin]:
    """Yield the models that came from elsewhere: the base model, and of a merge, or by itself, experts."""
    stage, base = study.models[name], study.family.base_model
    source = getattr(base, "source", None) if isinstance(base, SourceParent) else None
    start, title = getattr(source, "name", base.title), base.title.removeprefix("parent ")
    external = [Path(expert.external.name) for expert in study.trained.values() if isinstance(expert, ExternalExpert)]
    if Path(start) not in external:  # without a base model, the first expert tells the shapes alone
        yield origin_of(start, title=Path(start).name if external else title)
    experts = stage.experts if isinstance(stage, MergeStage) else {name: stage}
    for key, expert in experts.items():
        if isinstance(expert, ExternalExpert):
            yield origin_of(expert.external.name, title=key)


def _asked(study: Study) -> str:
    """Say in words what the model's texts look like."""
    if template := _template(study):
        return f"Its texts look like this, with columns of a table in braces: {template}"
    if isinstance(prompt := _prompt(study), Sentences):
        return f"Its texts are columns of a table as they are: {', '.join(prompt.columns)}."
    return "The task's form of a text is in dfwe.json; dfwe.predict makes it."


def _template(study: Study) -> str:
    """Return the form of a text with columns in braces; empty where the task has no such form."""
    prompt = _prompt(study)
    return f"{prompt.context}{prompt.prompt}" if isinstance(prompt, Template) else ""


def _prompt(study: Study) -> Template | Sentences | None:
    """Return the prompt of the only task; None where there are several, or it has another form."""
    tasks = tasks_of(study.objective)
    prompt = tasks[0].prompt.prompt if isinstance(tasks[0].prompt, ClosedSet) else tasks[0].prompt
    return prompt if len(tasks) == 1 and isinstance(prompt, Template | Sentences) else None
